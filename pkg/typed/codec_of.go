package typed

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// codecOf returns the codec of a struct's field, as its type, its tags and the form in its
// tag say; false if there is none.
func codecOf(def reflect.StructField, form string, value reflect.Value) (codec Codec[reflect.Value], ok bool) {
	if form == "yaml" || form == "json" {
		d := newDocument(def.Type, false)
		if !value.IsZero() {
			d.over(value.Interface())
		}
		return d.codec(strings.ToUpper(form)), true
	}
	t := def.Type
	isList := t.Kind() == reflect.Slice && !isText(t)
	isSet := t.Kind() == reflect.Map && t.Elem() == reflect.TypeFor[struct{}]() && !isText(t)
	switch {
	case isList:
		t = t.Elem()
	case isSet:
		t = t.Key()
	case t.Kind() == reflect.Pointer:
		t = t.Elem()
	}
	if codec, ok = wordOf(t, form); !ok {
		return codec, false
	}
	codec = constrainByTags(codec, def)
	switch {
	case isList, isSet:
		return collection(def.Type, codec), true
	case def.Type.Kind() == reflect.Pointer:
		return pointer(codec), true
	}
	return codec, true
}

// wordOf returns the codec of a type that is written as one word or text.
func wordOf(t reflect.Type, form string) (Codec[reflect.Value], bool) {
	switch {
	case t == duration:
		return as(Duration(), t), true
	case t == quantity:
		return as(Quantity(), t), true
	case isText(t):
		return textOf(t), true
	}
	switch t.Kind() {
	case reflect.String:
		if form == "line" {
			return as(Line[string](), t), true
		}
		return as(String[string](), t), true
	case reflect.Bool:
		return as(Bool(), t), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return as(Int[int64](), t), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return as(Int[uint64](), t), true
	case reflect.Float32:
		return as(Float[float32](), t), true
	case reflect.Float64:
		return as(Float[float64](), t), true
	}
	return Codec[reflect.Value]{}, false
}

func isText(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(textUnmarshaler)
}

// as returns a codec for values of type t, which is of the same kind as B, or smaller.
func as[B any](codec Codec[B], t reflect.Type) Codec[reflect.Value] {
	base := reflect.TypeFor[B]()
	return Codec[reflect.Value]{
		shape: codec.shape,
		Decode: func(text string) (reflect.Value, error) {
			value, err := codec.Decode(text)
			if err != nil {
				return reflect.Value{}, err
			}
			converted := reflect.ValueOf(value).Convert(t)
			if back := converted.Convert(base); base.Comparable() && base != quantity && any(value) != back.Interface() {
				return reflect.Value{}, Reject("out of the range of " + t.String())
			}
			return converted, nil
		},
		Encode: func(value reflect.Value) (string, error) {
			base, ok := reflect.TypeAssert[B](value.Convert(base))
			if !ok {
				return "", Reject("a value of another type")
			}
			return codec.Encode(base)
		},
	}
}

// errNoMarshalText is why Describe shows no default.
var errNoMarshalText = Reject("no MarshalText")

// textOf is what [Text] is for a type that is known.
func textOf(t reflect.Type) Codec[reflect.Value] {
	return Codec[reflect.Value]{
		shape: Shape{Type: t.String()},
		Decode: func(text string) (reflect.Value, error) {
			value := reflect.New(t)
			into, _ := reflect.TypeAssert[encoding.TextUnmarshaler](value)
			return value.Elem(), unmarshalText(into, text)
		},
		Encode: func(value reflect.Value) (string, error) {
			copied := reflect.New(t)
			copied.Elem().Set(value)
			from, ok := reflect.TypeAssert[encoding.TextMarshaler](copied)
			if !ok {
				return "", errNoMarshalText
			}
			text, err := from.MarshalText()
			return string(text), err
		},
	}
}

// pointer returns a codec of pointers to what codec decodes.
func pointer(codec Codec[reflect.Value]) Codec[reflect.Value] {
	return Codec[reflect.Value]{
		shape: codec.shape,
		Decode: func(text string) (reflect.Value, error) {
			value, err := codec.Decode(text)
			if err != nil {
				return value, err
			}
			to := reflect.New(value.Type())
			to.Elem().Set(value)
			return to, nil
		},
		Encode: func(value reflect.Value) (string, error) {
			if value.IsNil() {
				return "", nil
			}
			return codec.Encode(value.Elem())
		},
	}
}

// collection returns a codec of slices or sets of type t.
func collection(t reflect.Type, codec Codec[reflect.Value]) Codec[reflect.Value] {
	list := List(codec)
	return Codec[reflect.Value]{
		shape: list.shape,
		Decode: func(text string) (reflect.Value, error) {
			elements, err := list.Decode(text)
			if err != nil {
				return reflect.Value{}, err
			}
			if t.Kind() == reflect.Slice {
				return reflect.Append(reflect.MakeSlice(t, 0, len(elements)), elements...), nil
			}
			set := reflect.MakeMapWithSize(t, len(elements))
			for _, element := range elements {
				set.SetMapIndex(element, reflect.ValueOf(struct{}{}))
			}
			return set, nil
		},
		Encode: func(value reflect.Value) (string, error) {
			if t.Kind() == reflect.Slice {
				elements := make([]reflect.Value, value.Len())
				for i := range elements {
					elements[i] = value.Index(i)
				}
				return list.Encode(elements)
			}
			text, err := list.Encode(value.MapKeys())
			texts := strings.Split(text, ",")
			slices.Sort(texts)
			return strings.Join(texts, ","), err
		},
	}
}

// constrainByTags adds the constraints that a field's tags have.
func constrainByTags(codec Codec[reflect.Value], def reflect.StructField) Codec[reflect.Value] {
	read := func(text string) reflect.Value {
		value, err := codec.decode(text)
		if err != nil {
			panic(fmt.Sprintf("typed: %s: its own codec rejects a constraint: %s", def.Name, text))
		}
		return value
	}
	if tag := def.Tag.Get("oneof"); tag != "" {
		codec.shape.Choices = strings.Fields(tag)
		var choices []any
		for _, text := range codec.shape.Choices {
			choices = append(choices, read(text).Interface())
		}
		codec = constrain(codec, codec.shape.choicesReason(), func(value reflect.Value) bool {
			return slices.ContainsFunc(choices, func(choice any) bool { return reflect.DeepEqual(choice, value.Interface()) })
		})
	}
	low, high := def.Tag.Get("min"), def.Tag.Get("max")
	if low != "" || high != "" {
		codec.shape.Min, codec.shape.Max = low, high
		fits := func(limit string, sign int) func(reflect.Value) bool {
			if limit == "" {
				return func(reflect.Value) bool { return true }
			}
			to := read(limit)
			compare(to, to) // panics if it cannot
			return func(value reflect.Value) bool { return compare(value, to)*sign >= 0 }
		}
		aboveLow, belowHigh := fits(low, 1), fits(high, -1)
		codec = constrain(codec, codec.shape.rangeReason(), func(value reflect.Value) bool { return aboveLow(value) && belowHigh(value) })
	}
	if pattern := def.Tag.Get("pattern"); pattern != "" {
		if codec.shape.Type != "string" && codec.shape.Type != "line" {
			panic(fmt.Sprintf("typed: %s: a pattern for what is not a string", def.Name))
		}
		matches := whole(pattern)
		codec.shape.Pattern = pattern
		codec = constrain(codec, codec.shape.patternReason(), func(value reflect.Value) bool { return matches.MatchString(value.String()) })
	}
	return codec
}

// compare orders two values of one type.
func compare(a, b reflect.Value) int {
	switch {
	case a.Type() == quantity:
		x, _ := reflect.TypeAssert[resource.Quantity](a)
		y, _ := reflect.TypeAssert[resource.Quantity](b)
		return x.Cmp(y)
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	case a.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String())
	}
	panic(fmt.Sprintf("typed: min or max for a %v, which has no order", a.Type()))
}
