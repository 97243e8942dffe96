package typed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

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
