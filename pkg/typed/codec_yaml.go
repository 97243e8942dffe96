package typed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// YAML is the codec of YAML as Kubernetes reads it: it turns the document into JSON, so
// T needs the tags and methods of [encoding/json], and the rules of [JSON] apply. YAML
// panics if a field of T has a tag for YAML that says something else than its name in
// JSON. It also rejects keys that occur twice in one mapping, a second document, and
// aliases that could make a document larger than 16 MiB. A merge (<<) adds the keys that
// the mapping itself does not have.
func YAML[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("YAML", false, opts) }

// StrictYAML is like [YAML], but rejects fields that T does not have.
func StrictYAML[T any](opts ...DocumentOption[T]) Codec[T] { return documentCodec("YAML", true, opts) }

func jsonToYAML(content []byte) (string, error) {
	var text strings.Builder
	err := toYAML.Encode(&yamlObject{content: content}, &text)
	return text.String(), err
}

// misnamed returns a field in t whose tag for YAML has a name that JSON does not read; ""
// if there is none.
func misnamed(t reflect.Type, above []reflect.Type) string {
	if t = indirect(t); t == nil || slices.Contains(above, t) {
		return ""
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return misnamed(t.Elem(), above)
	case reflect.Struct:
		for field := range t.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			json, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if json == "" {
				json = field.Name
			}
			isInline := slices.Contains(strings.Split(options, ","), "inline")
			if field.IsExported() && (name != "" && name != "-" && !strings.EqualFold(name, json) || isInline && !field.Anonymous) {
				return t.String() + "." + field.Name
			}
			if found := misnamed(field.Type, above); found != "" {
				return found
			}
		}
	}
	return ""
}

// maxYAMLBytes is how large a document may become when its aliases are replaced by what
// they stand for. The decoder limits the number of nodes, but not their size: a long
// string and a hundred thousand aliases for it fit into one ConfigMap, and the decoder
// would make gigabytes of them.
const maxYAMLBytes = 16 << 20

func yamlToJSON(text string) ([]byte, error) {
	switch {
	case !utf8.ValidString(text): // YAML may be UTF-16, but nothing below supports that
		return nil, complain("not UTF-8", text)
	case !isOneDocument(text):
		return nil, Reject("more than one YAML document")
	case expandedYAML(text) > maxYAMLBytes && hasAliases(text):
		return nil, Reject("YAML aliases that stand for too much")
	}
	content, err := parseYAML(text)
	if twice := repeated.FindStringSubmatch(errorText(err)); twice != nil {
		return mergedYAML(text)
	}
	if err != nil {
		return nil, discreetYAML(err, text)
	}
	return content, nil
}

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

// mergeKeys matches what may be a key that asks for a merge.
var mergeKeys = regexp.MustCompile(`(?m)(^|[\s{,\[?-])<<([ \t]*:)`)

// mergedYAML returns the JSON of a document in which the parser has found a key twice. The
// parser counts keys that a merge brings, too. So mergedYAML gives those merges an
// ordinary name, and does the merging itself.
func mergedYAML(text string) ([]byte, error) {
	name := unusedWord(text)
	text = mergeKeys.ReplaceAllString(text, "${1}"+name+"$2")
	content, err := parseYAML(text)
	if err != nil {
		return nil, discreetYAML(err, text)
	}
	tree, err := parseJSON(content)
	if err != nil {
		return nil, err
	}
	if tree, err = mergeAll(tree, name); err != nil {
		return nil, err
	}
	if content, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(content, []byte(name), []byte("<<")), nil // what was no key
}

// unusedWord returns a short word that does not occur in a text.
func unusedWord(text string) string {
	const stem, digits = "merge", 6
	used := make(map[string]bool) // fewer than a million: texts are shorter
	for rest := text; ; {
		_, after, found := strings.Cut(rest, stem)
		if !found {
			break
		}
		used[after[:min(digits, len(after))]] = true
		rest = after
	}
	for n := 0; ; n++ {
		if number := fmt.Sprintf("%0*d", digits, n); !used[number] {
			return stem + number
		}
	}
}

// mergeAll carries out the merges in a tree, which are the values of the key name.
func mergeAll(tree any, name string) (_ any, err error) {
	switch tree := tree.(type) {
	case []any:
		for i := range tree {
			if tree[i], err = mergeAll(tree[i], name); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range tree {
			if tree[key], err = mergeAll(tree[key], name); err != nil {
				return nil, err
			}
		}
		from, ok := tree[name]
		if !ok {
			break
		}
		delete(tree, name)
		sources, isList := from.([]any)
		if !isList {
			sources = []any{from}
		}
		for _, source := range sources {
			source, ok := source.(map[string]any)
			if !ok {
				return nil, Reject("a YAML merge of something that is not a mapping")
			}
			for key, value := range source {
				if _, ok := tree[key]; !ok {
					tree[key] = value
				}
			}
		}
	}
	return tree, nil
}

// isOneDocument reports whether nothing comes after the first document: the decoder
// would ignore that. A line that begins with three dashes or dots is a mark anywhere,
// even in a scalar.
func isOneDocument(text string) bool {
	begun, ended := false, false
	for line := range strings.FieldsFuncSeq(text, isYAMLBreak) {
		content := strings.TrimLeft(line, " \t\ufeff")
		switch {
		case content == "", content[0] == '#', line[0] == '%' && !begun:
		case ended:
			return false
		case isMark(line, "---"):
			if begun {
				return false
			}
			begun = true
		case isMark(line, "..."):
			ended = true
		default:
			begun = true
		}
	}
	return true
}

func isMark(line, mark string) bool {
	line = strings.TrimPrefix(line, "\ufeff")
	return strings.HasPrefix(line, mark) && (len(line) == len(mark) || line[len(mark)] == ' ' || line[len(mark)] == '\t')
}

// isYAMLBreak reports whether r is a line break in YAML 1.1.
func isYAMLBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// references matches what may be an anchor or an alias. A mark that follows a letter or
// digit is part of a word.
var references = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([&*])([0-9A-Za-z_-]+)`)

// expandedYAML returns an upper bound for the length of a document with its aliases
// replaced. Each alias stands for a node that ends before it. So the text up to the end
// of the (i+1)th anchored node is at most 1+c times as long as the text up to the end of
// the ith, where c is the number of aliases between the two ends. The product of all 1+c
// is largest when all c are the same.
func expandedYAML(text string) float64 {
	anchors := make(map[string]int)
	aliases, anchored := 0, 0
	found := references.FindAllStringSubmatch(text, -1)
	for _, f := range found {
		if f[1] == "&" {
			anchors[f[2]]++
		}
	}
	used := make(map[string]bool)
	for _, f := range found {
		if n := anchors[f[2]]; f[1] == "*" && n > 0 {
			aliases++
			if !used[f[2]] {
				used[f[2]] = true
				anchored += n
			}
		}
	}
	if anchored == 0 {
		return float64(len(text))
	}
	return float64(len(text)) * math.Pow(1+float64(aliases)/float64(anchored), float64(anchored))
}

// hasAliases reports whether what looks like an alias is one. In a comment, a quoted
// string or a block it is just text: then the document can be read all the same when
// each of them names an anchor that does not exist.
func hasAliases(text string) bool {
	missing := "x" // longer than any anchor
	for _, f := range references.FindAllStringSubmatch(text, -1) {
		if f[1] == "&" && len(f[2]) >= len(missing) {
			missing = f[2] + "x"
		}
	}
	renamed := aliases.ReplaceAllString(text, "${1}*"+missing)
	var document json.RawMessage
	return yaml.Unmarshal([]byte(renamed), &document) != nil
}

var aliases = regexp.MustCompile(`(^|[^0-9A-Za-z])\*[0-9A-Za-z_-]+`)

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

// toYAML turns JSON into YAML. It takes only a runtime.Object, so yamlObject is one.
var toYAML = serializer.NewSerializerWithOptions(nil, nil, nil, serializer.SerializerOptions{Yaml: true})

type yamlObject struct{ content json.RawMessage }

func (o *yamlObject) MarshalJSON() ([]byte, error)     { return o.content, nil }
func (o *yamlObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o *yamlObject) DeepCopyObject() runtime.Object   { return &yamlObject{bytes.Clone(o.content)} }
