package checker

import (
	"iter"
	"maps"
	"slices"
	"testing"
)

// twofold gives one map to those who iterate, and another to those who ask.
type twofold struct{ all, asked map[string]string }

func (m twofold) Get(key string) (string, bool) { value, ok := m.asked[key]; return value, ok }
func (m twofold) Keys() []string                { return slices.Sorted(maps.Keys(m.asked)) }
func (m twofold) Len() int                      { return len(m.asked) }
func (m twofold) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(m.all)) {
			if !yield(key, m.all[key]) {
				return
			}
		}
	}
}

func TestEqualMapsAreEqualContents(t *testing.T) {
	var p pool
	entries := map[string]string{"b": "a=\"1\"\nc", "a": "\xff"}
	c, err := p.read(twofold{entries, entries})
	if want := contents("a=\"\\xff\"\nb=\"a=\\\"1\\\"\\nc\"\n"); c != want || err != nil {
		t.Errorf("got  %q (%v)\nwant %q", c, err, want)
	}
	if c != p.takeMap(entries) {
		t.Error("it depends on where they come from")
	}
	if got := c.only(func(key string) bool { return key == "a" }); got != "a=\"\\xff\"\n" {
		t.Errorf("only a is %q", got)
	}
}

func TestAMapThatContradictsItselfIsNoticed(t *testing.T) {
	for _, asked := range []map[string]string{{}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}} {
		if _, err := new(pool).read(twofold{map[string]string{"a": "1"}, asked}); err == nil {
			t.Errorf("not when it is %v to those who ask", asked)
		}
	}
}

func TestMarkKeysAreUsedAgain(t *testing.T) {
	c := &Client{}
	c.takeSlot()
	c.takeSlot()
	c.freeSlot(0)
	if slot := c.takeSlot(); slot != 0 {
		t.Errorf("slot %d is taken, and 0 is free", slot)
	}
	if slot := c.takeSlot(); slot != 2 {
		t.Errorf("slot %d is taken, and only 2 is free", slot)
	}
}

func TestMarksAreFoundInContents(t *testing.T) {
	m := mark{"nonce", 7, 2}
	got := holding("checker.0.1", m.String(), "checker.0.2", "garbage", "other", m.String()).marks()
	if len(got) != 1 || got["checker.0.1"] != m {
		t.Errorf("got %v", got)
	}
}
