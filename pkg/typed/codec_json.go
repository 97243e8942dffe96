package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// JSON is the codec of JSON, with the rules of [encoding/json]. It ignores fields that T
// does not have, so that programs of different versions can read one map; [StrictJSON]
// rejects them. It rejects text after the value. It rejects null, unless T is a map, a
// slice or an interface. A byte order mark at the beginning is no part of the text.
//
// There is one difference from encoding/json: a [time.Duration] is written as people
// write it, "3m" or "250ms", and a number without a unit is rejected, except for 0.
//
// An error names the line and the column of the text.
func JSON[T any](opts ...DocumentOption[T]) Codec[T] {
	return newDocument(false, opts).codec("JSON", jsonOf, func(content []byte) (string, error) { return string(content), nil })
}

// StrictJSON is like [JSON], but rejects fields that T does not have.
func StrictJSON[T any](opts ...DocumentOption[T]) Codec[T] {
	return newDocument(true, opts).codec("JSON", jsonOf, func(content []byte) (string, error) { return string(content), nil })
}

// jsonOf returns a JSON text without the mark before it, after checking its syntax.
func jsonOf(text string) ([]byte, error) {
	content := []byte(strings.TrimPrefix(text, "\ufeff"))
	mark := len(text) - len(content)
	decoder := json.NewDecoder(bytes.NewReader(content))
	var whole json.RawMessage
	err := decoder.Decode(&whole)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := mark + int(syntax.Offset) - 1 // Offset counts the byte at fault
		reason := "not JSON: an error at " + position(text, at)
		if what := unseen(text[max(0, min(at, len(text))):]); strings.HasPrefix(what, "begins with ") {
			reason += ", which " + what
		}
		return nil, Reject(reason)
	}
	if err != nil {
		return nil, Reject("not JSON: it ends too soon")
	}
	after := int(decoder.InputOffset())
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		rest := text[mark+after:]
		at := mark + after + len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
		return nil, complainAt("text after the JSON value", text, at)
	}
	return content, nil
}

func complainAt(complaint, text string, at int) error {
	return Reject(complaint + ", at " + position(text, at))
}

// A DocumentOption changes how a document in JSON or YAML is decoded.
type DocumentOption[T any] func(*document[T])

// Over decodes a document over a copy of base: a field that the document does not write,
// or writes as null, is as in base. Objects are merged in this way at every depth, maps
// included; a list in the document replaces that of base. Of base counts what
// [encoding/json] encodes. Over panics if that fails.
//
//	typed.Bind(store, "pool.yaml", typed.YAML(typed.Over(usual)), usual)
func Over[T any](base T) DocumentOption[T] {
	return func(d *document[T]) {
		text, err := d.encode(base)
		if err == nil {
			d.base, err = parseJSON(text)
		}
		if err != nil {
			panic(fmt.Sprintf("typed: Over with a %T that cannot be encoded", base))
		}
	}
}

// A document decodes a T of JSON, and encodes it.
type document[T any] struct {
	strict     bool
	base       any  // what Over has been given, as parsed JSON; nil if nothing
	quantities bool // whether there can be one in a T
	durations  bool // likewise
}

func newDocument[T any](strict bool, opts []DocumentOption[T]) *document[T] {
	d := &document[T]{
		strict:     strict,
		quantities: contains(reflect.TypeFor[T](), quantity, nil),
		durations:  contains(reflect.TypeFor[T](), duration, nil),
	}
	for _, opt := range opts {
		opt(d)
	}
	return d
}

// codec returns the codec for a syntax: two functions from and to JSON.
func (d *document[T]) codec(syntax string, from func(string) ([]byte, error), to func([]byte) (string, error)) Codec[T] {
	return Codec[T]{
		Decode: func(text string) (T, error) {
			content, err := from(text)
			if err != nil {
				var zero T
				return zero, err
			}
			return d.decode(text, content)
		},
		Encode: func(value T) (string, error) {
			content, err := d.encode(value)
			if err != nil {
				return "", err
			}
			return to(content)
		},
		shape: Shape{Type: syntax},
	}
}

// decode returns the T of a JSON text that was made of text.
func (d *document[T]) decode(text string, content []byte) (T, error) {
	var zero T
	var value *T // nil after a null
	if d.quantities && !areBounded(content) {
		return zero, errUnbounded
	}
	if d.base != nil || d.durations {
		tree, err := parseJSON(content)
		if err != nil {
			return zero, err
		}
		if d.base != nil && tree != nil {
			tree = merge(d.base, tree)
		}
		tree, wrong := conform(tree, reflect.TypeFor[T](), readDuration, nil)
		if wrong != nil {
			return zero, complainAt(wrong.what, text, locate(text, wrong.where))
		}
		if content, err = json.Marshal(tree); err != nil {
			return zero, err
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	if d.strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(&value); err != nil {
		return zero, d.discreet(err, text, content)
	}
	if value != nil {
		return *value, nil
	}
	if !hasNull(reflect.TypeFor[T]().Kind()) {
		return zero, errNull
	}
	return zero, nil
}

func (d *document[T]) encode(value T) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil || !d.durations {
		return content, err
	}
	tree, err := parseJSON(content)
	if err != nil {
		return nil, err
	}
	tree, _ = conform(tree, reflect.TypeFor[T](), writeDuration, nil)
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
func (d *document[T]) discreet(err error, text string, content []byte) error {
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := ""
		if mismatch.Field != "" {
			where = "field " + mismatch.Field + ", "
		}
		at := position(text, locate(text, pathAt(content, mismatch.Offset)))
		return Reject(fmt.Sprintf("%sat %s, does not fit into the type %v", where, at, mismatch.Type))
	}
	if strings.HasPrefix(err.Error(), "json: unknown field ") {
		if tree, err := parseJSON(content); err == nil {
			if where := unknownField(tree, reflect.TypeFor[T](), nil); where != nil {
				return complainAt("a field that is not known", text, locate(text, where))
			}
		}
		return Reject("a field that is not known")
	}
	return err
}

// pathAt returns the path to the value at an offset of a JSON text, as errors of
// encoding/json name it: the end of a simple value, or the beginning of another.
func pathAt(content []byte, offset int64) path {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var at path        // its last step is the next value's
	var objects []bool // whether the collections around it are objects
	isKey := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return at
		}
		depth := len(objects)
		if isKey {
			if name, ok := token.(string); ok {
				at[depth-1], isKey = name, false
				continue
			}
		}
		delimiter, _ := token.(json.Delim)
		if delimiter != '}' && delimiter != ']' {
			if decoder.InputOffset() >= offset {
				return at
			}
			if delimiter != 0 {
				objects, at, isKey = append(objects, delimiter == '{'), append(at, 0), delimiter == '{'
				continue
			}
		} else {
			depth--
			objects, at = objects[:depth], at[:depth]
		}
		if depth > 0 {
			if isKey = objects[depth-1]; !isKey {
				at[depth-1] = at[depth-1].(int) + 1
			}
		}
	}
}
