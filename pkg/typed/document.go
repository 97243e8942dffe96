package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A DocumentOption changes how a document in JSON or YAML is decoded.
type DocumentOption[T any] func(*document)

// Over decodes a document over a copy of base: a field that the document does not write,
// or writes as null, is as in base. Objects are merged in this way at every depth, maps
// included; a list in the document replaces that of base. Of base counts what
// [encoding/json] encodes. Over panics if that fails.
//
//	typed.Bind(store, "pool.yaml", typed.YAML(typed.Over(usual)), usual)
func Over[T any](base T) DocumentOption[T] {
	return func(d *document) { d.over(base) }
}

// JSON is the codec of JSON, with the rules of [encoding/json]. It ignores fields that T
// does not have, so that programs of different versions can read one map; [StrictJSON]
// rejects them. It rejects text after the value. It rejects null, unless T is a map, a
// slice or an interface. A byte order mark at the beginning is no part of the text.
//
// There is one difference from encoding/json: a [time.Duration] is written as people
// write it, "3m" or "250ms", and a number without a unit is rejected, except for 0.
//
// An error names the line and the column of the text.
func JSON[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("JSON", false, opts) }

// StrictJSON is like [JSON], but rejects fields that T does not have.
func StrictJSON[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("JSON", true, opts) }

// YAML is the codec of YAML as Kubernetes reads it: it turns the document into JSON, so
// T needs the tags and methods of [encoding/json], and the rules of [JSON] apply. YAML
// panics if a field of T has a tag for YAML that says something else than its name in
// JSON. It also rejects keys that occur twice in one mapping, a second document, and
// aliases that could make a document larger than 16 MiB. A merge (<<) adds the keys that
// the mapping itself does not have.
func YAML[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("YAML", false, opts) }

// StrictYAML is like [YAML], but rejects fields that T does not have.
func StrictYAML[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("YAML", true, opts) }

// A document decodes values of one type from JSON or YAML, and encodes them.
type document struct {
	t          reflect.Type
	strict     bool
	base       any  // what Over has been given, as parsed JSON; nil if nothing
	quantities bool // whether there can be one in a value
	durations  bool // likewise
}

func newDocument(t reflect.Type, strict bool) *document {
	return &document{t: t, strict: strict, quantities: contains(t, quantity, nil), durations: contains(t, duration, nil)}
}

func (d *document) over(base any) {
	text, err := d.encode(base)
	if err == nil {
		d.base, err = parseJSON(text)
	}
	if err != nil {
		panic(fmt.Sprintf("typed: Over with a %T that cannot be encoded", base))
	}
}

// documentCodec returns a codec for a syntax, which is JSON or YAML.
func documentCodec[T any](syntax string, strict bool, opts []DocumentOption[T]) Codec[T] {
	d := newDocument(reflect.TypeFor[T](), strict)
	for _, opt := range opts {
		opt(d)
	}
	codec := d.codec(syntax)
	return Codec[T]{
		Decode: func(text string) (T, error) {
			var value T
			decoded, err := codec.Decode(text)
			if err == nil {
				reflect.ValueOf(&value).Elem().Set(decoded)
			}
			return value, err
		},
		Encode: func(value T) (string, error) { return codec.Encode(reflect.ValueOf(&value).Elem()) },
		shape:  codec.shape,
	}
}

func (d *document) codec(syntax string) Codec[reflect.Value] {
	from, to := jsonOf, func(content []byte) (string, error) { return string(content), nil }
	if syntax == "YAML" {
		from, to = yamlToJSON, jsonToYAML
		if field := misnamed(d.t, nil); field != "" {
			panic(fmt.Sprintf("typed: YAML reads json tags, and the yaml tag of %s says something else", field))
		}
	}
	return Codec[reflect.Value]{
		Decode: func(text string) (reflect.Value, error) {
			content, err := from(text)
			if err != nil {
				return reflect.Value{}, err
			}
			return d.decode(text, content)
		},
		Encode: func(value reflect.Value) (string, error) {
			content, err := d.encode(value.Interface())
			if err != nil {
				return "", err
			}
			return to(content)
		},
		shape: Shape{Type: syntax},
	}
}

// decode returns the value of a JSON text that was made of text.
func (d *document) decode(text string, content []byte) (reflect.Value, error) {
	if d.quantities && !areBounded(content) {
		return reflect.Value{}, errUnbounded
	}
	if d.base != nil || d.durations {
		tree, err := parseJSON(content)
		if err != nil {
			return reflect.Value{}, err
		}
		if d.base != nil && tree != nil {
			tree = merge(d.base, tree)
		}
		tree, wrong := conform(tree, d.t, readDuration, nil)
		if wrong != nil {
			return reflect.Value{}, complainAt(wrong.what, text, locate(text, wrong.where))
		}
		if content, err = json.Marshal(tree); err != nil {
			return reflect.Value{}, err
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	if d.strict {
		decoder.DisallowUnknownFields()
	}
	value := reflect.New(reflect.PointerTo(d.t)) // points to nil after a null
	if err := decoder.Decode(value.Interface()); err != nil {
		return reflect.Value{}, d.discreet(err, text, content)
	}
	switch {
	case !value.Elem().IsNil():
		return value.Elem().Elem(), nil
	case hasNull(d.t.Kind()):
		return reflect.Zero(d.t), nil
	}
	return reflect.Value{}, errNull
}

func (d *document) encode(value any) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil || !d.durations {
		return content, err
	}
	tree, err := parseJSON(content)
	if err != nil {
		return nil, err
	}
	tree, _ = conform(tree, d.t, writeDuration, nil)
	return json.Marshal(tree)
}

// errNull rejects a null or an empty YAML document. Either would decode to a zero T, and
// is often the result of a mistake in a template.
var errNull = Reject("null, or nothing at all")

// hasNull reports whether Go encodes a useful value of this kind as null. A nil pointer
// is not useful: callers of Load would not expect it.
func hasNull(kind reflect.Kind) bool {
	return kind == reflect.Map || kind == reflect.Slice || kind == reflect.Interface
}

// discreet removes from an error what it quotes, and says where it is. Errors of T's own
// methods stay as they are, because their texts are not shown.
func (d *document) discreet(err error, text string, content []byte) error {
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := ""
		if mismatch.Field != "" && len(mismatch.Field) <= 100 { // a type that contains itself has longer ones
			where = "field " + mismatch.Field + ", "
		}
		at := position(text, locate(text, pathAt(content, mismatch.Offset)))
		return Reject(fmt.Sprintf("%sat %s, does not fit into the type %v", where, at, mismatch.Type))
	}
	if strings.HasPrefix(err.Error(), "json: unknown field ") {
		if tree, err := parseJSON(content); err == nil {
			if where := unknownField(tree, d.t, nil); where != nil {
				return complainAt("a field that is not known", text, locate(text, where))
			}
		}
		return Reject("a field that is not known")
	}
	return err
}

// misnamed returns a field in t whose tag for YAML has a name that JSON does not read; ""
// if there is none.
func misnamed(t reflect.Type, above []reflect.Type) string {
	if t = indirect(t); t == nil || slices.Contains(above, t) {
		return ""
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return misnamed(t.Elem(), above)
	case reflect.Struct:
		for field := range t.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			json, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if json == "" {
				json = field.Name
			}
			isInline := slices.Contains(strings.Split(options, ","), "inline")
			if field.IsExported() && (name != "" && name != "-" && !strings.EqualFold(name, json) || isInline && !field.Anonymous) {
				return t.String() + "." + field.Name
			}
			if found := misnamed(field.Type, above); found != "" {
				return found
			}
		}
	}
	return ""
}
