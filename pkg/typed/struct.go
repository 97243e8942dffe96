package typed

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Struct returns a function for [Derive] that reads each field of T from a key of its own:
//
//	type Settings struct {
//		Port    int           `key:"port" min:"1" max:"65535"`
//		Timeout time.Duration
//		Token   string        `key:",required"`
//	}
//	settings := typed.Derive(store, typed.Struct(Settings{Port: 8080, Timeout: 30 * time.Second}))
//
// A field without its key is as in defaults. A malformed or invalid key does not hold back
// the others: its field keeps the last good value, and the error names all such keys. If
// *T has a method Validate() error, it is called with all fields; its error rejects the T
// as a whole, like any other error of a function given to Derive.
//
// The key of a field is its name in lower case with dashes, MaxConns as max-conns, or what
// the tag key says; "-" leaves the field out. Fields of a nested struct have its key and a
// dot before theirs; those of an embedded one do not, unless it has a tag. After the key,
// the tag may have options, separated by commas:
//
//   - required and keep, which do what [Required] and [Keep] do;
//   - yaml or json: the key has the whole field, as a document, read over that of defaults;
//   - line: a string is read by [Line], not byte for byte.
//
// The tags oneof:"a b", min, max and pattern constrain a field or the elements of a list as
// [OneOf], [Between] and [Matching] do. [Describe] shows the tag doc.
//
// A field is a string, boolean, number, [time.Duration], quantity, a type with
// UnmarshalText, a pointer to one of these, a slice of these ([List]), or a map of these to
// struct{} ([Set]). Fields that are not exported are left out.
//
// Struct panics when T is not a struct, a tag is malformed, a field has another type and is
// no document, or two fields have one key.
func Struct[T any](defaults T) func(mapstore.Reader) (T, error) {
	fields := fieldsOf(defaults)
	return func(now mapstore.Reader) (T, error) {
		value := defaults
		into := reflect.ValueOf(&value).Elem()
		var errs []error
		for _, field := range fields {
			if err := field.read(now, into); err != nil {
				errs = append(errs, err)
			}
		}
		if v, ok := any(&value).(interface{ Validate() error }); ok && len(errs) == 0 {
			errs = append(errs, v.Validate())
		}
		return value, errors.Join(errs...)
	}
}

// Unused returns the keys that no field of a struct reads, sorted: among them are those
// that somebody has misspelt. It panics as [Struct] does.
func Unused[T any](now mapstore.Reader, defaults T) []string {
	fields := fieldsOf(defaults)
	return slices.DeleteFunc(now.Keys(), func(key string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.key == key })
	})
}

// A field is one field of a struct that has a key.
type field struct {
	key     string
	index   []int
	codec   Codec[reflect.Value]
	options Option
	doc     string
}

// read sets the field in a struct to what its key says. If that fails, it leaves the
// default.
func (f field) read(now mapstore.Reader, into reflect.Value) error {
	target := into.FieldByIndex(f.index)
	if _, ok := now.Get(f.key); !ok {
		switch {
		case isReplaced(now, f.key):
		case f.options&Required != 0:
			return rejectedBy(f.key, errMissing)
		case f.options&Keep != 0 && isDerived(now):
			return rejectedBy(f.key, errKept)
		}
		return nil
	}
	read := f.codec.From
	if f.options&Required != 0 {
		read = f.codec.Need
	}
	value, err := read(now, f.key, target)
	if err == nil {
		target.Set(value)
	}
	return err
}

// fieldsOf returns the fields of a struct that have keys, in their order.
func fieldsOf(defaults any) []field {
	value := reflect.ValueOf(defaults)
	if value.Kind() != reflect.Struct {
		panic(fmt.Sprintf("typed: %T: not a struct", defaults))
	}
	fields := appendFields(nil, value, "", nil)
	seen := make(map[string]bool)
	for _, f := range fields {
		if err := validateKey(f.key); err != nil || seen[f.key] {
			panic(fmt.Sprintf("typed: %T: no key, or one of two fields with it: %s", defaults, f.key))
		}
		seen[f.key] = true
	}
	return fields
}

func appendFields(fields []field, value reflect.Value, prefix string, above []int) []field {
	for i := range value.NumField() {
		def, of := value.Type().Field(i), value.Field(i)
		tag := def.Tag.Get("key")
		name, options, _ := strings.Cut(tag, ",")
		isEmbedded := def.Anonymous && name == "" && def.Type.Kind() == reflect.Struct
		if name == "-" || !def.IsExported() && !isEmbedded {
			continue
		}
		if name == "" {
			name = keyOf(def.Name)
		}
		f := field{key: prefix + name, index: append(slices.Clone(above), i), doc: def.Tag.Get("doc")}
		form := ""
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "required":
				f.options |= Required
			case "keep":
				f.options |= Keep
			case "yaml", "json", "line":
				form = option
			default:
				panic(fmt.Sprintf("typed: %s: no such option in its tag: %s", def.Name, option))
			}
		}
		var ok bool
		switch f.codec, ok = codecOf(def, form, of); {
		case ok:
			fields = append(fields, f)
		case isEmbedded:
			fields = appendFields(fields, of, prefix, f.index)
		case def.Type.Kind() == reflect.Struct && options == "":
			fields = appendFields(fields, of, f.key+".", f.index)
		default:
			panic(fmt.Sprintf("typed: %s: a %v has no codec; with the option yaml or json it is a document", def.Name, def.Type))
		}
	}
	return fields
}

// keyOf returns a field's name as people write keys: MaxHTTPConns as max-http-conns.
func keyOf(name string) string {
	var key strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins && runes[i-1] != '_' {
			key.WriteByte('-')
		}
		key.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(key.String(), "_", "-")
}
