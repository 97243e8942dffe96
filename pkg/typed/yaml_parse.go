package typed

import (
	"encoding/json"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// parseYAML returns a document as JSON. It rejects keys that occur twice.
func parseYAML(text string) (content json.RawMessage, err error) {
	err = yaml.UnmarshalStrict([]byte(text), &content)
	if content == nil {
		content = json.RawMessage("null")
	}
	return content, err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// repeated matches the error about a key that occurs twice.
var repeated = regexp.MustCompile(`line ([0-9]+): key (.*) already set in map`)

// unparsed matches the errors about what is not YAML.
var unparsed = regexp.MustCompile(`^error converting YAML to JSON: yaml: (?:line ([0-9]+): )?((?:(?:did not|could not) find|found|mapping values|block (?:sequence|mapping|collection)|control characters|incomplete|invalid|while).*)`)

// unnamed matches the error about an alias for nothing.
var unnamed = regexp.MustCompile(`unknown anchor '(.*)' referenced`)

// discreetYAML returns a parser's error without what it quotes, and with where it is.
func discreetYAML(err error, text string) error {
	if m := repeated.FindStringSubmatch(err.Error()); m != nil {
		return complainAt("a YAML key that occurs twice", text, offsetOfKey(text, m[1], m[2]))
	}
	if m := unnamed.FindStringSubmatch(err.Error()); m != nil {
		return complainAt("not YAML: an alias without an anchor", text, strings.Index(text, "*"+m[1]))
	}
	if m := unparsed.FindStringSubmatch(err.Error()); m != nil {
		if len(text) > maxSearched {
			return Reject("not YAML: an error, at line " + max(m[1], "1"))
		}
		return complainAt("not YAML: an error", text, offsetOfError(text, m[1], m[2]))
	}
	return Reject("YAML of a kind that JSON cannot hold")
}

// offsetOfKey returns the offset of a key. The parser names the line in which its value
// begins, which may be a later one.
func offsetOfKey(text, line, quoted string) int {
	key, err := strconv.Unquote(quoted)
	if err != nil {
		key = quoted
	}
	begin, end := lineAt(text, line, 0)
	for {
		at := strings.LastIndex(text[:end], key)
		if at < 0 || key == "" {
			return begin
		}
		before := strings.TrimRight(text[:at], "\"'")
		after := strings.TrimLeft(strings.TrimLeft(text[at+len(key):], "\"'"), " \t")
		if strings.HasPrefix(after, ":") && (before == "" || strings.ContainsAny(before[len(before)-1:], "\n\t {,[?-")) {
			return len(before)
		}
		end = at + len(key) - 1
	}
}

// fromParser matches the errors of the parser proper. It counts lines from zero, unlike
// the scanner before it.
var fromParser = regexp.MustCompile(`^did not find expected (?:node content|key|'-' indicator|',' or|<)`)

// maxSearched is how long a text may be for offsetOfError, which parses it several times.
const maxSearched = 1 << 16

// offsetOfError returns the offset of a syntax error. The parser names only its line; so
// the column is where the line must end for the error not to occur.
func offsetOfError(text, line, message string) int {
	more := 0
	if line != "" && fromParser.MatchString(message) {
		more = 1
	}
	begin, end := lineAt(text, line, more)
	return begin + max(0, sort.Search(end-begin, func(n int) bool {
		_, err := parseYAML(text[:begin+n])
		m := unparsed.FindStringSubmatch(errorText(err))
		return m != nil && m[1] == line && m[2] == message
	})-1)
}

// lineAt returns the offsets of the beginning and the end of a line, which is named as
// the parser does: no number means the first.
func lineAt(text, number string, more int) (begin, end int) {
	n, _ := strconv.Atoi(number)
	for n += more; n > 1; n-- {
		next := strings.IndexByte(text[begin:], '\n')
		if next < 0 {
			break
		}
		begin += next + 1
	}
	if length := strings.IndexByte(text[begin:], '\n'); length >= 0 {
		return begin, begin + length
	}
	return begin, len(text)
}
