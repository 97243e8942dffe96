package typed

import (
	"fmt"
	"slices"
	"strings"
)

// List is the codec of lists, with codec for each element. Elements end with a comma or a
// line break. What [Bool] ignores around a text is ignored around each, and empty elements
// are left out: "a, b,", "a\nb\n" and "a,,b" are the same list of two. An empty text is an
// empty list.
//
// It encodes with commas. It rejects elements that would be read as something else: empty
// ones, and those with a comma, a line break, or white space around them.
//
// List panics when codec has no Decode.
func List[T any](codec Codec[T]) Codec[[]T] {
	if codec.Decode == nil {
		panic("typed: List with a codec that cannot decode")
	}
	list := Codec[[]T]{shape: codec.shape, Decode: func(text string) ([]T, error) {
		elements := []T{}
		for n, element := range split(text) {
			value, err := codec.Decode(element)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", Reject(fmt.Sprintf("element %d", n)), err)
			}
			elements = append(elements, value)
		}
		return elements, nil
	}}
	list.shape.IsList = true
	if codec.Encode != nil {
		list.Encode = func(elements []T) (string, error) {
			texts := make([]string, len(elements))
			for i, element := range elements {
				text, err := codec.Encode(element)
				if err != nil {
					return "", err
				}
				if texts[i] = text; text == "" || text != trim(text) || strings.ContainsAny(text, ",\r\n") {
					return "", Reject(fmt.Sprintf("element %d is empty, or has a comma, a line break or white space around it", i+1))
				}
			}
			return strings.Join(texts, ","), nil
		}
	}
	return list
}

// Set is the codec of sets, written like a [List]. An element may occur more than once.
// Set encodes the elements in the order of their texts.
func Set[T comparable](codec Codec[T]) Codec[map[T]struct{}] {
	list := List(codec)
	set := Codec[map[T]struct{}]{shape: list.shape, Decode: func(text string) (map[T]struct{}, error) {
		elements, err := list.Decode(text)
		if err != nil {
			return nil, err
		}
		set := make(map[T]struct{}, len(elements))
		for _, element := range elements {
			set[element] = struct{}{}
		}
		return set, nil
	}}
	if codec.Encode != nil {
		set.Encode = func(elements map[T]struct{}) (string, error) {
			var texts []string
			for element := range elements {
				text, err := list.Encode([]T{element})
				if err != nil {
					return "", err
				}
				texts = append(texts, text)
			}
			slices.Sort(texts)
			return strings.Join(texts, ","), nil
		}
	}
	return set
}

// split iterates over the elements of a list and their numbers, from one.
func split(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n := 0
		for element := range strings.FieldsFuncSeq(trim(text), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			if element = trim(element); element == "" {
				continue
			}
			if n++; !yield(n, element) {
				return
			}
		}
	}
}
