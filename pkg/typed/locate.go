package typed

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A path leads from a document to a value in it: a string is the key of an object, an int
// the index of an array.
type path []any

// position says where an offset is in a text, in lines and columns that begin with one. A
// column is one character.
func position(text string, offset int) string {
	before := strings.TrimPrefix(text[:min(max(offset, 0), len(text))], "\ufeff")
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", strings.Count(before, "\n")+1, utf8.RuneCountInString(line)+1)
}

// locate returns the offset of a value in a YAML or JSON text that can be parsed. The
// parsers that decode a text do not tell where its values are. So locate knows of YAML
// what is needed to find a value in nearly all texts: indentation, flow collections,
// quotes and comments. If it cannot find the value, as behind an alias, it returns the
// offset of the innermost value around it that it has found.
func locate(text string, to path) int {
	s := scan(text)
	at := s.root()
	for _, step := range to[:min(len(to), maxSteps)] {
		next, ok := s.child(at, step)
		if !ok {
			break
		}
		at = next
	}
	return at
}

// maxSteps limits how far locate goes into a document, since each step may go through the
// whole text.
const maxSteps = 32

// A scan is a text that is looked through. All offsets may be beyond its end, where there
// is nothing but zeros.
type scan string

func (s scan) at(i int) byte {
	if i < 0 || i >= len(s) {
		return 0
	}
	return s[i]
}

func (s scan) isBlank(i int) bool { return s.at(i) == ' ' || s.at(i) == '\t' }

// isEnd reports whether a token that is followed by offset i is complete.
func (s scan) isEnd(i int) bool {
	return i >= len(s) || s.isBlank(i) || s.at(i) == '\n' || s.at(i) == '\r'
}

// endOfLine returns the offset of the line break after i, or of the end of the text.
func (s scan) endOfLine(i int) int {
	if i >= len(s) {
		return len(s)
	}
	if n := strings.IndexByte(string(s[i:]), '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}

func (s scan) lineStart(i int) int {
	return strings.LastIndexByte(string(s[:min(i, len(s))]), '\n') + 1
}

// skip returns the offset of the next token: after white space, line breaks and comments.
func (s scan) skip(i int) int {
	for i < len(s) {
		switch c := s[i]; {
		case c == ' ', c == '\t', c == '\r', c == '\n':
			i++
		case c == '#' && (i == 0 || s.isEnd(i-1)):
			i = s.endOfLine(i)
		default:
			return i
		}
	}
	return i
}

// root returns the offset of the document's value.
func (s scan) root() int {
	i := s.skip(len("\ufeff") * strings.Count(string(s[:min(3, len(s))]), "\ufeff"))
	for s.at(i) == '%' {
		i = s.skip(s.endOfLine(i))
	}
	if strings.HasPrefix(string(s[min(i, len(s)):]), "---") && s.isEnd(i+3) {
		i = s.skip(i + 3)
	}
	return i
}

// child returns the offset of the value to which a step leads from the value at i.
func (s scan) child(i int, step any) (int, bool) {
	for s.at(i) == '&' || s.at(i) == '!' { // an anchor, a tag
		for !s.isEnd(i) {
			i++
		}
		i = s.skip(i)
	}
	if s.at(i) == '{' || s.at(i) == '[' {
		return s.inFlow(i, step)
	}
	return s.inBlock(i, step)
}

// inBlock finds a value in a block collection, whose entries all begin in one column.
func (s scan) inBlock(i int, step any) (int, bool) {
	column := i - s.lineStart(i)
	for n := 0; i < len(s); n++ {
		value, found := 0, false
		switch step := step.(type) {
		case int:
			if s.at(i) != '-' || !s.isEnd(i+1) {
				return 0, false
			}
			value, found = i+1, n == step
		case string:
			key, end, ok := s.key(i)
			value, found = end, ok && key == step
		}
		if found {
			return s.value(i, value, column), true
		}
		next, ok := s.sibling(i, column)
		if !ok {
			return 0, false
		}
		i = next
	}
	return 0, false
}

// value returns the offset of an entry's value. It may begin in a later line, further to
// the right, or as a list in the same column. If there is none, the entry counts.
func (s scan) value(entry, i, column int) int {
	end := s.endOfLine(i)
	next := s.skip(i)
	indent := next - s.lineStart(next)
	if next < end || next < len(s) && (indent > column || indent == column && s.at(next) == '-' && s.at(entry) != '-') {
		return next
	}
	return entry
}

// sibling returns the offset of the next entry in the same column.
func (s scan) sibling(i, column int) (int, bool) {
	for {
		start := s.endOfLine(i) + 1
		i = start
		for s.isBlank(i) {
			i++
		}
		switch {
		case start >= len(s):
			return 0, false
		case i-start > column, s.at(i) == '#', s.isEnd(i):
			continue
		}
		return i, i-start == column
	}
}

// key returns the key at i, and the offset after its colon.
func (s scan) key(i int) (key string, end int, ok bool) {
	if q := s.at(i); q == '"' || q == '\'' {
		end = s.quoted(i)
		key = string(s[i:min(end, len(s))])
		if q == '"' {
			key, _ = strconv.Unquote(key)
		} else {
			key = strings.ReplaceAll(strings.Trim(key, "'"), "''", "'")
		}
		for s.isBlank(end) {
			end++
		}
		return key, end + 1, s.at(end) == ':'
	}
	for end = i; end < len(s) && s[end] != '\n'; end++ {
		if s[end] == ':' && (s.isEnd(end+1) || strings.IndexByte(",[]{}", s.at(end+1)) >= 0) {
			return strings.TrimRight(string(s[i:end]), " \t"), end + 1, true
		}
	}
	return "", end, false
}

// quoted returns the offset after the quoted text at i.
func (s scan) quoted(i int) int {
	quote := s.at(i)
	for i++; i < len(s) && s[i] != quote; i++ {
		if s[i] == '\\' && quote == '"' {
			i++
		}
	}
	return min(i+1, len(s))
}

// inFlow finds a value between braces or brackets.
func (s scan) inFlow(i int, step any) (int, bool) {
	isObject := s.at(i) == '{'
	i = s.skip(i + 1)
	for n := 0; i < len(s) && s[i] != '}' && s[i] != ']'; n++ {
		found := any(n) == step
		if isObject {
			key, end, ok := s.key(i)
			if found = ok && any(key) == step; ok {
				i = s.skip(end)
			}
		}
		if found {
			return i, true
		}
		if i = s.skip(s.afterFlow(i)); s.at(i) == ',' {
			i = s.skip(i + 1)
		}
	}
	return 0, false
}

// afterFlow returns the offset of the comma, brace or bracket that ends the value at i.
func (s scan) afterFlow(i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'':
			if s.isEnd(i-1) || strings.IndexByte(",:[{", s.at(i-1)) >= 0 { // not inside a word
				i = s.quoted(i) - 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}
