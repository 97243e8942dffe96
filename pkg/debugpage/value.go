package debugpage

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	previewBytes = 80       // of a value in a list
	valueBytes   = 64 << 10 // of a value on a page of its own
	hexBytes     = 4 << 10  // of a binary one
)

// preview returns a value's beginning as a quoted Go string, in which nothing is
// invisible. It shares no memory with the value.
func preview(value string) string {
	head, cut := beginning(value, previewBytes)
	quoted := strconv.QuoteToGraphic(head)
	if strings.ContainsAny(head, `"\`) && isPlain(head) {
		quoted = "`" + head + "`" // JSON is easier to read so
	}
	if cut {
		quoted += "…"
	}
	return quoted
}

// isPlain reports whether text means the same between backquotes.
func isPlain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r == '`' || !unicode.IsGraphic(r)
	})
}

// beginning returns at most limit bytes of a value, and whether that is not all.
// It does not cut through a character.
func beginning(value string, limit int) (string, bool) {
	if len(value) <= limit {
		return value, false
	}
	for end := limit; end > limit-utf8.UTFMax; end-- {
		if utf8.RuneStart(value[end]) {
			return value[:end], true
		}
	}
	return value[:limit], true
}

// isText reports whether people can read a value.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r)
	})
}

// readable returns a value's beginning for a page of its own: text in which what
// could hide or reorder other characters is escaped, or a hex dump.
func readable(value string) (text string, shown int) {
	if !isText(value) {
		head := value[:min(len(value), hexBytes)]
		return hex.Dump([]byte(head)), len(head)
	}
	head, _ := beginning(value, valueBytes)
	return visible(head), len(head)
}

// visible escapes what could hide or reorder other characters, but for newlines and
// tabs.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
