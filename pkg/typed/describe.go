package typed

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Description says which keys a struct reads, as data. [Describe] makes it.
type Description []Key

// A Key is one key of a [Description].
type Key struct {
	Name    string
	Shape   Shape
	Default string // its text; "" for a required key, and for a field that cannot be encoded
	Options Option
	Doc     string // the field's tag doc
}

// Describe returns which keys [Struct] reads for a T, in the order of the fields. It
// panics as Struct does.
func Describe[T any](defaults T) Description {
	var d Description
	value := reflect.ValueOf(defaults)
	for _, f := range fieldsOf(defaults) {
		key := Key{Name: f.key, Shape: f.codec.shape, Options: f.options, Doc: f.doc}
		if f.options&Required == 0 {
			key.Default, _ = recovering(f.codec.Encode, value.FieldByIndex(f.index))
		}
		d = append(d, key)
	}
	return d
}

// String returns a table in Markdown with aligned columns, for documentation and for what
// a program prints when it is asked for help.
func (d Description) String() string {
	rows := [][]string{{"key", "value", "default", ""}, nil}
	for _, key := range d {
		rows = append(rows, []string{key.Name, key.Shape.String(), key.shownDefault(), key.Doc})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.NewReplacer("\n", " ", "|", `\|`).Replace(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, width := range widths {
		rows[1] = append(rows[1], strings.Repeat("-", max(width, 3)))
	}
	var table strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			table.WriteString("| " + cell + strings.Repeat(" ", max(widths[i], 3)-utf8.RuneCountInString(cell)+1))
		}
		table.WriteString("|\n")
	}
	return table.String()
}

func (k Key) shownDefault() string {
	if k.Options&Required != 0 {
		return "required"
	}
	return strings.TrimSpace(k.Default)
}

// Manifest returns a ConfigMap in YAML with that name, which has all keys with their
// defaults, and says in comments what each takes. Required keys are comments too: somebody
// must fill them in.
func (d Description) Manifest(name string) string {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n")
	for _, key := range d {
		for line := range strings.FieldsFuncSeq(key.Doc+"\n"+key.Shape.String(), isYAMLBreak) {
			text.WriteString("  # " + line + "\n")
		}
		if key.Options&Required != 0 {
			text.WriteString("  # Required:\n  # " + key.Name + ": \"\"\n")
			continue
		}
		text.WriteString("  " + keyYAML(key.Name) + ": " + scalarYAML(key.Default) + "\n")
	}
	return text.String()
}

// scalarYAML returns a text as a scalar in a mapping that is indented by two.
func scalarYAML(text string) string {
	body, isLines := strings.CutSuffix(text, "\n")
	isPlain := func(r rune) bool { return r == '\n' || strconv.IsPrint(r) && r != '\ufeff' }
	if !isLines || body == "" || strings.ContainsAny(body[:1]+body[len(body)-1:], " \n") || strings.IndexFunc(body, func(r rune) bool { return !isPlain(r) }) >= 0 {
		return quotedYAML(text)
	}
	return "|\n    " + strings.ReplaceAll(body, "\n", "\n    ")
}

// keyYAML returns a key as it is, unless YAML would take it for something else, such as a
// number.
func keyYAML(key string) string {
	if content, err := parseYAML(key); err == nil && string(content) == quotedYAML(key) {
		return key
	}
	return quotedYAML(key)
}

// quotedYAML returns a text in quotes: YAML reads them as JSON does.
func quotedYAML(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
