package ledger

import (
	"slices"
	"strings"
	"testing"
)

// Whatever stands in the annotation, a commit's id gets to its head, what can be looked
// up stays, and the annotation stays short.
func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"", "a b c", "  \t\n", strings.Repeat("garbage ", 99), strings.Repeat("x", 1<<16), "AAAAAAAAAAAA \xff\xfe", strings.Repeat("ABCDEFGHIJKL ", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		before, id := Parse(annotation), NewAuthor().newID(false, 0)
		written := before.With(id, 1<<18)
		if len(written) > Length*(idLength+1) {
			t.Errorf("%d bytes", len(written))
		}
		after := Parse(written)
		if len(after) > Length || after.Head() != id {
			t.Errorf("the ledger is %q", after)
		}
		for i, old := range before {
			if i == Length-1 || len(old) > idLength {
				break
			}
			if !slices.Contains(after, old) {
				t.Errorf("%q has dropped out", old)
			}
		}
	})
}

// However many commits of others came, up to the ledger's length, one's own is found.
func TestACommitIsFoundBelowThirtyOneOthers(t *testing.T) {
	base := Version{Sequence: 1, Revision: "1"}
	c := commit{id: NewAuthor().newID(false, 0), base: base}
	now := Version{Sequence: 2, Revision: "2", IDs: Parse(base.IDs.With(c.id, 1<<18))}
	for i := range Length + 1 {
		c.seen = undecided
		c.observe(now)
		if want := i < Length; (c.verdict(now) == landed) != want {
			t.Fatalf("after %d others: verdict %v", i, c.verdict(now))
		}
		now = Version{Sequence: now.Sequence + 1, IDs: Parse(now.IDs.With(NewAuthor().newID(false, 0), 1<<18))}
	}
}
