package typed

import (
	"cmp"
	"regexp"
	"slices"
)

// Shape returns which texts the codec takes. It does not know what [Codec.Validate] adds.
func (c Codec[T]) Shape() Shape { return c.shape }

// OneOf returns a codec that also rejects a value that is none of the choices. The reason
// names them. OneOf panics when there is none, or when codec cannot encode one.
func OneOf[T comparable](codec Codec[T], choices ...T) Codec[T] {
	if len(choices) == 0 {
		panic("typed: OneOf without choices")
	}
	for _, choice := range choices {
		codec.shape.Choices = append(slices.Clone(codec.shape.Choices), encoded(codec, choice))
	}
	return constrain(codec, codec.shape.choicesReason(), func(value T) bool { return slices.Contains(choices, value) })
}

// Between returns a codec that also rejects a value below low or above high. Between
// panics when low is above high, or when codec cannot encode one.
func Between[T cmp.Ordered](codec Codec[T], low, high T) Codec[T] {
	if low > high {
		panic("typed: Between with nothing in between")
	}
	codec.shape.Min, codec.shape.Max = encoded(codec, low), encoded(codec, high)
	return constrain(codec, codec.shape.rangeReason(), func(value T) bool { return low <= value && value <= high })
}

// Matching returns a codec that also rejects a string that the pattern does not match as a
// whole. Patterns are those of [regexp], which take no more than linear time. Matching
// panics when pattern is not one.
func Matching[T ~string](codec Codec[T], pattern string) Codec[T] {
	matches := whole(pattern)
	codec.shape.Pattern = pattern
	return constrain(codec, codec.shape.patternReason(), func(value T) bool { return matches.MatchString(string(value)) })
}

// constrain adds a check that a text can fail for one reason only.
func constrain[T any](codec Codec[T], reason string, ok func(T) bool) Codec[T] {
	decode := codec.Decode
	codec.Decode = func(text string) (T, error) {
		value, err := decode(text)
		if err == nil && !ok(value) {
			err = complain(reason, text)
		}
		return value, err
	}
	return codec
}

func encoded[T any](codec Codec[T], value T) string {
	text, _, err := codec.encode(value)
	if err != nil {
		panic("typed: a constraint with a value that its codec cannot encode")
	}
	return text
}

// whole compiles a pattern that must match a text from its beginning to its end.
func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }
