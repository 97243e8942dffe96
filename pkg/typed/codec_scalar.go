package typed

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// String is the codec of strings: the text itself, byte for byte.
func String[T ~string]() Codec[T] {
	return Codec[T]{
		Decode: func(text string) (T, error) { return T(text), nil },
		Encode: func(value T) (string, error) { return string(value), nil },
		shape:  Shape{Type: "string"},
	}
}

// Line is the codec of strings of one line, such as a host or a path. It ignores what
// [Bool] ignores around the text, and rejects line breaks in it.
func Line[T ~string]() Codec[T] {
	return scalar("line", "not a line",
		func(text string) (T, error) {
			if strings.ContainsAny(text, "\r\n") {
				return "", Reject("more than one line")
			}
			return T(text), nil
		},
		func(value T) string { return string(value) })
}

// Bool is the codec of booleans, as [strconv.ParseBool] reads them: 1, t, T,
// TRUE, true, True, 0, f, F, FALSE, false, False. Like all codecs of one word or
// number, it ignores what editors and tools add around a text: a byte order mark, and
// white space of all kinds. If it rejects a text that has other characters which people
// cannot see, the reason names the first.
func Bool() Codec[bool] {
	return scalar("boolean", "not a boolean", strconv.ParseBool, strconv.FormatBool)
}

// Int is the codec of integers, in base ten. It rejects an integer that does not fit
// into T.
func Int[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr]() Codec[T] {
	bits := reflect.TypeFor[T]().Bits()
	if isSigned := T(0)-1 < 0; isSigned {
		return scalar("integer", "not an integer",
			func(text string) (T, error) { n, err := strconv.ParseInt(text, 10, bits); return T(n), err },
			func(value T) string { return strconv.FormatInt(int64(value), 10) })
	}
	return scalar("integer without a sign", "not an integer without a sign",
		func(text string) (T, error) { n, err := strconv.ParseUint(text, 10, bits); return T(n), err },
		func(value T) string { return strconv.FormatUint(uint64(value), 10) })
}

// Float is the codec of floating-point numbers, as [strconv.ParseFloat] reads them. It
// rejects infinities, NaN, and numbers that do not fit into T.
func Float[T ~float32 | ~float64]() Codec[T] {
	bits := reflect.TypeFor[T]().Bits()
	return scalar("number", "not a number",
		func(text string) (T, error) {
			f, err := strconv.ParseFloat(text, bits)
			if err == nil && (math.IsInf(f, 0) || math.IsNaN(f)) {
				err = Reject("not a finite number")
			}
			return T(f), err
		},
		func(value T) string { return strconv.FormatFloat(float64(value), 'g', -1, bits) })
}

// Duration is the codec of durations as [time.ParseDuration] reads them, such as 1h30m
// or 250ms. They may be negative; [Codec.Validate] can exclude that.
func Duration() Codec[time.Duration] {
	return scalar("duration", "not a duration", time.ParseDuration, time.Duration.String)
}

// Text is the codec of types that encode themselves as text, such as
// [net/netip.Addr], [log/slog.Level] or [time.Time]: Text[netip.Addr](). It ignores
// what [Bool] ignores. If T has no MarshalText, values can only be read.
func Text[T any, P interface {
	*T
	encoding.TextUnmarshaler
}]() Codec[T] {
	codec := Codec[T]{shape: Shape{Type: reflect.TypeFor[T]().String()}, Decode: func(text string) (T, error) {
		var value T
		err := unmarshalText(P(&value), text)
		return value, err // after the call: it changes value
	}}
	if _, ok := any(new(T)).(encoding.TextMarshaler); ok {
		codec.Encode = func(value T) (string, error) {
			text, err := any(&value).(encoding.TextMarshaler).MarshalText()
			return string(text), err
		}
	}
	return codec
}

// unmarshalText reads a text into a value, and adds to its error what people cannot see.
func unmarshalText(into encoding.TextUnmarshaler, text string) error {
	text = trim(text)
	err := into.UnmarshalText([]byte(text))
	if what := unseen(text); err != nil && what != "" {
		return fmt.Errorf("%w: %w", Reject("it "+what), err)
	}
	return err
}

// scalar makes a codec of a parser, and replaces the parser's errors, which quote the
// text.
func scalar[T any](kind, complaint string, parse func(string) (T, error), format func(T) string) Codec[T] {
	return Codec[T]{
		Decode: func(text string) (T, error) {
			text = trim(text)
			value, err := parse(text)
			if _, ok := err.(safeText); err == nil || ok { //nolint:errorlint // parse returns it bare
				return value, err
			}
			if errors.Is(err, strconv.ErrRange) {
				return value, Reject("out of the range of " + reflect.TypeFor[T]().String())
			}
			return value, complain(complaint, text)
		},
		Encode: func(value T) (string, error) { return format(value), nil },
		shape:  Shape{Type: kind},
	}
}
