package typed

import (
	"strings"
)

// A Shape says which texts a codec takes, as data: for documentation, or to make an
// admission policy of.
type Shape struct {
	// Type is what one text, or each element of a list, stands for, in words: duration.
	// It is "" for a codec of your own.
	Type string
	// IsList says that a text is a list, as [List] and [Set] read it.
	IsList bool
	// Choices are the texts of [OneOf], encoded; nil if there is no such constraint.
	Choices []string
	// Min and Max are the limits of [Between], encoded; "" if there are none.
	Min, Max string
	// Pattern is the regular expression of [Matching]; "" if there is none.
	Pattern string
}

// String describes the shape in words: "integer, 1 to 65535".
func (s Shape) String() string {
	words := []string{s.Type}
	if s.IsList {
		words[0] = "list of " + s.Type
	}
	if s.Choices != nil {
		words = append(words, "one of "+strings.Join(s.Choices, ", "))
	}
	if s.Min != "" || s.Max != "" {
		words = append(words, s.limits())
	}
	if s.Pattern != "" {
		words = append(words, "matching "+s.Pattern)
	}
	return strings.Join(words, ", ")
}

func (s Shape) limits() string {
	switch {
	case s.Max == "":
		return "at least " + s.Min
	case s.Min == "":
		return "at most " + s.Max
	}
	return s.Min + " to " + s.Max
}

func (s Shape) choicesReason() string { return "not one of " + strings.Join(s.Choices, ", ") }
func (s Shape) rangeReason() string   { return "must be " + s.limits() }
func (s Shape) patternReason() string { return "does not match " + s.Pattern }
