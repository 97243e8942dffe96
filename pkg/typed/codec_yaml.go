package typed

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// YAML is the codec of YAML as Kubernetes reads it: it turns the document into JSON, so
// T needs the tags and methods of [encoding/json], and the rules of [JSON] apply. It
// also rejects keys that occur twice, a second document, and aliases that could make a
// document larger than 16 MiB.
func YAML[T any]() Codec[T] { return yamlCodec(jsonDecoder[T](false)) }

// StrictYAML is like [YAML], but rejects fields that T does not have.
func StrictYAML[T any]() Codec[T] { return yamlCodec(jsonDecoder[T](true)) }

func yamlCodec[T any](decode func([]byte) (T, error)) Codec[T] {
	return Codec[T]{
		Decode: func(text string) (T, error) {
			document, err := yamlToJSON(text)
			if err != nil {
				var zero T
				return zero, err
			}
			return decode(document)
		},
		Encode: func(value T) (string, error) {
			content, err := json.Marshal(value)
			if err != nil {
				return "", err
			}
			var text strings.Builder
			err = toYAML.Encode(&yamlObject{content: content}, &text)
			return text.String(), err
		},
	}
}

// maxYAMLBytes is how large a document may become when its aliases are replaced by what
// they stand for. The decoder limits the number of nodes, but not their size: a long
// string and a hundred thousand aliases for it fit into one ConfigMap, and the decoder
// would make gigabytes of them.
const maxYAMLBytes = 16 << 20

func yamlToJSON(text string) ([]byte, error) {
	switch {
	case !utf8.ValidString(text): // YAML may be UTF-16, but nothing below supports that
		return nil, Reject("not UTF-8")
	case !isOneDocument(text):
		return nil, Reject("more than one YAML document")
	case expandedYAML(text) > maxYAMLBytes && hasAliases(text):
		return nil, Reject("YAML aliases that stand for too much")
	}
	var document json.RawMessage
	if err := yaml.UnmarshalStrict([]byte(text), &document); err != nil {
		return nil, discreetYAML(err)
	}
	if document == nil {
		document = json.RawMessage("null")
	}
	return document, nil
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

// whichLine matches how the decoder's errors begin. What follows may quote the text.
var whichLine = regexp.MustCompile(`^error converting YAML to JSON: yaml: (?:unmarshal errors:\n  )?(line [0-9]+): `)

func discreetYAML(err error) error {
	if line := whichLine.FindStringSubmatch(err.Error()); line != nil {
		return Reject("not YAML, or not without keys that occur twice: an error at " + line[1])
	}
	return Reject("not YAML, or not of the kind that JSON can hold")
}

// toYAML turns JSON into YAML. It takes only a runtime.Object, so yamlObject is one.
var toYAML = serializer.NewSerializerWithOptions(nil, nil, nil, serializer.SerializerOptions{Yaml: true})

type yamlObject struct{ content json.RawMessage }

func (o *yamlObject) MarshalJSON() ([]byte, error)     { return o.content, nil }
func (o *yamlObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o *yamlObject) DeepCopyObject() runtime.Object   { return &yamlObject{bytes.Clone(o.content)} }
