package typed_test

import (
	"reflect"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// No text makes a codec panic, and what has been read can be written and is then
// read as the same. White space around the text is no part of it.
func FuzzCodecs(f *testing.F) {
	for _, text := range []string{
		"", "true\n", "-128", "1e400", "NaN", "0x1p-2", "1h30m", "-1ns", "500m", "2Gi", "1E", "1e3", "0.1Ki", "null", `{"name":"a","tags":{"x":"y"}}`, "name: yes\nport: 0x10\n",
		"a: &a [b]\nc: *a", "- ? a\n  : b\n", "--- |\n x\n...", "!!binary aGk=", "? - a\n", "2001-01-01", "1:30", "\ufeffa: 1", "{", "\x00", "\u0085", "<<: 1", "<<: [{a: 1}]",
	} {
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
	})
}

func again[T any](t *testing.T, name string, codec typed.Codec[T], text string) {
	t.Helper()
	value, err := codec.Decode(text)
	if err != nil {
		return
	}
	written, err := codec.Encode(value)
	if err != nil {
		t.Errorf("%s: %q is read as %#v and cannot be written: %v", name, text, value, err)
		return
	}
	if back, err := codec.Decode(written); err != nil || !reflect.DeepEqual(back, value) {
		t.Errorf("%s: %q is read as %#v, written as %q and read as %#v, %v", name, text, value, written, back, err)
	}
}
