package typed_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// hostileTexts would take a decoder that is not careful out of bounds of time, of memory
// or of its stack.
func hostileTexts() []string {
	laughs := "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
	for c := 'b'; c <= 'i'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	const size = 1 << 14
	texts := []string{
		laughs,
		"a: &a " + strings.Repeat("x", size/2) + "\nb: [" + strings.Repeat("*a,", size/6) + "]",
		"a: &a {k: " + strings.Repeat("x", size/2) + "}\nb:\n" + strings.Repeat("- <<: *a\n", size/20),
		"a: &a [*a]",
		strings.Repeat("- &a ["+strings.Repeat("*a,", 9)+"]\n", size/40),
		strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"1e" + strings.Repeat("9", size),
		"{" + strings.Repeat(`"a":1,`, size/6) + `"b":1}`,
	}
	for _, again := range []string{"[", `{"a":`, "- ", "? ", "9", ",", "a: ", "!!str ", `"`, "\x00", " ", "\n", "|\n", "&", "&a "} {
		texts = append(texts, strings.Repeat(again, size/len(again)))
	}
	return texts
}

// No text makes a codec panic, hang or quote it, and what has been read can be written
// and is then read as the same. White space around the text is no part of it.
func FuzzCodecs(f *testing.F) {
	for _, text := range append(hostileTexts(),
		"", "true\n", "-128", "1e400", "NaN", "0x1p-2", "1h30m", "-1ns", "500m", "2Gi", "1E", "1e3", "0.1Ki", "null", `{"name":"a","tags":{"x":"y"}}`, "name: yes\nport: 0x10\n",
		"a: &a [b]\nc: *a", "- ? a\n  : b\n", "--- |\n x\n...", "!!binary aGk=", "? - a\n", "2001-01-01", "1:30", "\ufeffa: 1", "{", "\u0085", "<<: 1", "<<: [{a: 1}]",
		"timeout: 3m\nsteps: [{Name: a, wait: 1s}, *x]", "a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n", "- <<: [*a, {b: 1}]\n  b: 2", "a: {b: [{\"c\": 'it''s'}]} # x", "a, b\n\r\n,c", "steps:\n- - ? {a: b}\n  wait: 1", "labels:\n  x: |\n    y: 1\nworkers: z",
	) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		again(t, "String", typed.String[level](), text)
		again(t, "Bool", typed.Bool(), text)
		again(t, "Int[int8]", typed.Int[int8](), text)
		again(t, "Int[uint64]", typed.Int[uint64](), text)
		again(t, "Float[float32]", typed.Float[float32](), text)
		again(t, "Float[float64]", typed.Float[float64](), text)
		again(t, "Duration", typed.Duration(), text)
		again(t, "JSON", typed.JSON[server](), text)
		again(t, "JSON[any]", typed.JSON[any](), text)
		again(t, "YAML", typed.YAML[server](), text)
		again(t, "YAML[any]", typed.YAML[any](), text)
		if q, err := typed.Quantity().Decode(text); err == nil {
			written, _ := typed.Quantity().Encode(q)
			if back, err := typed.Quantity().Decode(written); err != nil || back.Cmp(q) != 0 {
				t.Errorf("Quantity: %q is written as %q and read as %v, %v", text, written, back, err)
			}
		}
		if len(text) > 1<<12 { // the rest tells nothing more of long texts
			return
		}
		again(t, "YAML, with durations", typed.YAML[pool](), text)
		again(t, "StrictJSON, with durations", typed.StrictJSON[pool](), text)
		again(t, "YAML, over defaults", typed.YAML(typed.Over(pool{Workers: 4, Labels: map[string]string{"a": "b"}, Steps: []step2{{"a", 1}}})), text)
		again(t, "Line", typed.Line[level](), text)
		again(t, "List of lines", typed.List(typed.Line[level]()), text)
		again(t, "Set of integers", typed.Set(typed.Int[int8]()), text)
	})
}

func again[T any](t *testing.T, name string, codec typed.Codec[T], text string) {
	t.Helper()
	value, err := codec.Decode(text)
	if err != nil {
		if len(err.Error()) > 200 { // long enough to hold what it should not
			t.Errorf("%s: an error of %d bytes about %d: %.200s", name, len(err.Error()), len(text), err)
		}
		return
	}
	written, err := codec.Encode(value)
	if err != nil {
		t.Errorf("%s: %.99q is read as %#v and cannot be written: %v", name, text, value, err)
		return
	}
	if len(written) > 1<<20 { // no map can hold it: indentation grows with the square of the depth
		return
	}
	if back, err := codec.Decode(written); err != nil || !reflect.DeepEqual(back, value) {
		t.Errorf("%s: %q is read as %#v, written as %q and read as %#v, %v", name, text, value, written, back, err)
	}
}
