package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// jsonOf returns a JSON text without the mark before it, after checking its syntax.
func jsonOf(text string) ([]byte, error) {
	content := []byte(strings.TrimPrefix(text, "\ufeff"))
	mark := len(text) - len(content)
	decoder := json.NewDecoder(bytes.NewReader(content))
	var whole json.RawMessage
	err := decoder.Decode(&whole)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := mark + int(syntax.Offset) - 1 // Offset counts the byte at fault
		reason := "not JSON: an error at " + position(text, at)
		if what := unseen(text[max(0, min(at, len(text))):]); strings.HasPrefix(what, "begins with ") {
			reason += ", which " + what
		}
		return nil, Reject(reason)
	}
	if err != nil {
		return nil, Reject("not JSON: it ends too soon")
	}
	after := int(decoder.InputOffset())
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		rest := text[mark+after:]
		at := mark + after + len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
		return nil, complainAt("text after the JSON value", text, at)
	}
	return content, nil
}

// pathAt returns the path to the value at an offset of a JSON text, as errors of
// encoding/json name it: the end of a simple value, or the beginning of another.
func pathAt(content []byte, offset int64) path {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var at path        // its last step is the next value's
	var objects []bool // whether the collections around it are objects
	isKey := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return at
		}
		depth := len(objects)
		if isKey {
			if name, ok := token.(string); ok {
				at[depth-1], isKey = name, false
				continue
			}
		}
		delimiter, _ := token.(json.Delim)
		if delimiter != '}' && delimiter != ']' {
			if decoder.InputOffset() >= offset {
				return at
			}
			if delimiter != 0 {
				objects, at, isKey = append(objects, delimiter == '{'), append(at, 0), delimiter == '{'
				continue
			}
		} else {
			depth--
			objects, at = objects[:depth], at[:depth]
		}
		if depth > 0 {
			if isKey = objects[depth-1]; !isKey {
				at[depth-1] = at[depth-1].(int) + 1
			}
		}
	}
}
