package typed

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// trim removes what editors and tools put around a text where nobody sees it: byte order
// marks at the beginning, and white space, which includes line breaks of all systems and
// no-break spaces.
func trim(text string) string {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r == '\ufeff' || unicode.IsSpace(r) })
	return strings.TrimSpace(text)
}

// complain returns the complaint about a text, and what in the text people cannot see.
func complain(complaint, text string) error {
	if what := unseen(text); what != "" {
		return Reject(complaint + ": it " + what)
	}
	return Reject(complaint)
}

// complainAt returns a complaint about an offset of a text.
func complainAt(complaint, text string, at int) error {
	return Reject(complaint + ", at " + position(text, at))
}

// unseen says where a text first has something that people cannot see; "" if nowhere. A
// plain space does not count.
func unseen(text string) string {
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "begins with a byte order mark of UTF-16"
	}
	for i, r := range text {
		_, width := utf8.DecodeRuneInString(text[i:])
		switch name := nameOf(r, width); {
		case name == "":
		case i == 0:
			return "begins with " + name
		default:
			return fmt.Sprintf("has %s at byte %d", name, i+1)
		}
	}
	return ""
}

// nameOf returns the name of a character that people cannot see; "" for any other.
func nameOf(r rune, width int) string {
	switch {
	case r == utf8.RuneError && width == 1:
		return "a byte that is not UTF-8"
	case r == ' ':
		return ""
	}
	if name, ok := unseenNames[r]; ok {
		return name
	}
	switch {
	case unicode.IsControl(r):
		return "a control character"
	case unicode.IsSpace(r), unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp):
		return "an invisible character"
	}
	return ""
}

var unseenNames = map[rune]string{
	'\ufeff': "a byte order mark",
	'\u00a0': "a no-break space",
	'\u202f': "a narrow no-break space",
	'\u200b': "a zero width space",
	'\u200c': "a zero width non-joiner",
	'\u200d': "a zero width joiner",
	'\u2060': "a word joiner",
	'\u00ad': "a soft hyphen",
	'\n':     "a line break",
	'\r':     "a carriage return",
	'\t':     "a tab",
	0:        "a NUL byte",
}
