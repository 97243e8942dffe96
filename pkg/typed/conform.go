package typed

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	duration        = reflect.TypeFor[time.Duration]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// parseJSON returns a JSON text as maps, slices, strings, booleans and Numbers.
func parseJSON(content []byte) (tree any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	err = decoder.Decode(&tree)
	return tree, err
}

// merge returns tree, and what only base has. Neither changes.
func merge(base, tree any) any {
	old, ok1 := base.(map[string]any)
	written, ok2 := tree.(map[string]any)
	if !ok1 || !ok2 {
		return tree
	}
	merged := maps.Clone(old)
	for key, value := range written {
		for was := range old {
			if was != key && !strings.EqualFold(was, key) {
				continue
			}
			if delete(merged, was); value == nil {
				value = old[was]
			} else {
				value = merge(old[was], value)
			}
		}
		merged[key] = value
	}
	return merged
}

// A misfit is what is wrong with a value in a document, and where the value is.
type misfit struct {
	what  string
	where path
}

// conform returns tree with each value that will be decoded into a duration, or was
// encoded from one, replaced by what convert makes of it.
func conform(tree any, t reflect.Type, convert func(any) (any, string), at path) (any, *misfit) {
	if t = indirect(t); t == duration {
		converted, wrong := convert(tree)
		if wrong != "" {
			return nil, &misfit{wrong, slices.Clone(at)}
		}
		return converted, nil
	}
	switch tree := tree.(type) {
	case map[string]any:
		fields := fieldTypes(t)
		for key, value := range tree {
			converted, wrong := conform(value, typeOf(t, fields, key), convert, append(at, key))
			if wrong != nil {
				return nil, wrong
			}
			tree[key] = converted
		}
	case []any:
		for i, value := range tree {
			converted, wrong := conform(value, typeOf(t, nil, ""), convert, append(at, i))
			if wrong != nil {
				return nil, wrong
			}
			tree[i] = converted
		}
	}
	return tree, nil
}

func readDuration(value any) (any, string) {
	switch value := value.(type) {
	case string:
		d, err := Duration().Decode(value)
		if err != nil {
			return nil, err.Error() // quotes nothing
		}
		return int64(d), ""
	case json.Number:
		if value != "0" {
			return nil, "a duration without a unit, such as 3m"
		}
	}
	return value, ""
}

func writeDuration(value any) (any, string) {
	if n, ok := value.(json.Number); ok {
		if d, err := n.Int64(); err == nil {
			return time.Duration(d).String(), ""
		}
	}
	return value, ""
}

// unknownField returns the path to the first field that t does not have; nil if there is
// none.
func unknownField(tree any, t reflect.Type, at path) path {
	t = indirect(t)
	switch tree := tree.(type) {
	case map[string]any:
		fields := fieldTypes(t)
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			next := typeOf(t, fields, key)
			if fields != nil && next == nil {
				return append(slices.Clone(at), key)
			}
			if found := unknownField(tree[key], next, append(at, key)); found != nil {
				return found
			}
		}
	case []any:
		for i, value := range tree {
			if found := unknownField(value, typeOf(t, nil, ""), append(at, i)); found != nil {
				return found
			}
		}
	}
	return nil
}

// indirect returns what t points to, or nil if t decodes itself, so that what is in it is
// its own affair.
func indirect(t reflect.Type) reflect.Type {
	for t != nil && t != duration {
		pointer := reflect.PointerTo(t)
		if pointer.Implements(jsonUnmarshaler) || pointer.Implements(textUnmarshaler) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			break
		}
		t = t.Elem()
	}
	return t
}

// typeOf returns the type of a value inside one of type t; nil if that is not known.
func typeOf(t reflect.Type, fields map[string]reflect.Type, key string) reflect.Type {
	switch {
	case t == nil:
		return nil
	case t.Kind() == reflect.Struct:
		if field, ok := fields[key]; ok {
			return field
		}
		for name, field := range fields {
			if strings.EqualFold(name, key) {
				return field
			}
		}
	case t.Kind() == reflect.Map, t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return t.Elem()
	}
	return nil
}

// fieldTypes returns the types of a struct's fields by their names in JSON; nil for any
// other type.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	if known, ok := knownFields.Load(t); ok {
		types, _ := known.(map[string]reflect.Type)
		return types
	}
	types := make(map[string]reflect.Type)
	for _, field := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		name := field.Name
		if tag != "" {
			name = tag
		}
		isEmbedded := field.Anonymous && tag == ""
		if _, ok := types[name]; ok || isEmbedded || tag == "-" || !field.IsExported() {
			continue
		}
		types[name] = field.Type
		if strings.Contains(options, "string") { // a number in quotes, as encoding/json writes it
			types[name] = reflect.TypeFor[any]()
		}
	}
	knownFields.Store(t, types)
	return types
}

// knownFields has what fieldTypes has found out, by the type: a list may have many structs.
var knownFields sync.Map

// contains reports whether a value of type part can be in one of type t. The types that
// are being looked into are above it.
func contains(t, part reflect.Type, above []reflect.Type) bool {
	if t == part {
		return true
	}
	if slices.Contains(above, t) {
		return false
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return contains(t.Elem(), part, above)
	case reflect.Map:
		return contains(t.Elem(), part, above) || contains(t.Key(), part, above)
	case reflect.Struct:
		for field := range t.Fields() {
			if contains(field.Type, part, above) {
				return true
			}
		}
	}
	return false
}
