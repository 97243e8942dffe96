package typed

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
)

func jsonToYAML(content []byte) (string, error) {
	var text strings.Builder
	err := toYAML.Encode(&yamlObject{content: content}, &text)
	return text.String(), err
}

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

// toYAML turns JSON into YAML. It takes only a runtime.Object, so yamlObject is one.
var toYAML = serializer.NewSerializerWithOptions(nil, nil, nil, serializer.SerializerOptions{Yaml: true})

type yamlObject struct{ content json.RawMessage }

func (o *yamlObject) MarshalJSON() ([]byte, error)     { return o.content, nil }
func (o *yamlObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o *yamlObject) DeepCopyObject() runtime.Object   { return &yamlObject{bytes.Clone(o.content)} }
