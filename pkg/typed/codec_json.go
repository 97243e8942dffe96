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
// slice or an interface.
func JSON[T any]() Codec[T] {
	return jsonCodec(jsonDecoder[T](false))
}

// StrictJSON is like [JSON], but rejects fields that T does not have.
func StrictJSON[T any]() Codec[T] {
	return jsonCodec(jsonDecoder[T](true))
}

func jsonCodec[T any](decode func([]byte) (T, error)) Codec[T] {
	return Codec[T]{
		Decode: func(text string) (T, error) { return decode([]byte(text)) },
		Encode: func(value T) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
	}
}

// jsonDecoder returns a function that decodes one JSON value; strict rejects fields that
// T does not have.
func jsonDecoder[T any](strict bool) func(text []byte) (T, error) {
	guarded := hasQuantity(reflect.TypeFor[T](), nil)
	return func(text []byte) (T, error) {
		var zero T
		if guarded && !areBounded(text) {
			return zero, errUnbounded
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		if strict {
			decoder.DisallowUnknownFields()
		}
		return decodeOne[T](decoder)
	}
}

func decodeOne[T any](decoder *json.Decoder) (T, error) {
	var zero T
	var value *T // nil after a null
	if err := decoder.Decode(&value); err != nil {
		return zero, discreetJSON(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return zero, Reject("text after the JSON value")
	}
	if value != nil {
		return *value, nil
	}
	if !hasNull(reflect.TypeFor[T]().Kind()) {
		return zero, errNull
	}
	return zero, nil
}

// errNull rejects a null or an empty YAML document. Either would decode to a zero T, and
// is often the result of a mistake in a template.
var errNull = Reject("null, or nothing at all")

// hasNull reports whether Go encodes a useful value of this kind as null. A nil pointer
// is not useful: callers of Load would not expect it.
func hasNull(kind reflect.Kind) bool {
	return kind == reflect.Map || kind == reflect.Slice || kind == reflect.Interface
}

// discreetJSON removes from an error what it quotes. Errors of T's own methods stay as
// they are, because their texts are not shown.
func discreetJSON(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return Reject(fmt.Sprintf("not JSON: an error at byte %d", syntax.Offset))
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := fmt.Sprintf("at byte %d", mismatch.Offset)
		if mismatch.Field != "" {
			where = "field " + mismatch.Field + ", " + where
		}
		return Reject(fmt.Sprintf("%s, does not fit into the type %v", where, mismatch.Type))
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Reject("not JSON: it ends too soon")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return Reject("a field that is not known")
	}
	return err
}
