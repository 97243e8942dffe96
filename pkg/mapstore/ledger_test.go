package mapstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func withLedger(s *Snapshot, serial, epoch uint64, ledger string) *Snapshot {
	s.object.Annotations = map[string]string{ledgerAnnotation: ledger}
	s.serial, s.epoch = serial, epoch
	return s
}

func TestVerdicts(t *testing.T) {
	long := func(n int, more ...string) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("later%d", i)
		}
		return strings.Join(append(ids, more...), " ")
	}
	absent := absentSnapshot("uid", "9")
	absent.serial, absent.epoch = 2, 1
	for name, row := range map[string]struct {
		base, now *Snapshot
		want      verdict
	}{
		"the base is still the newest":      {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 1, 1, "head"), undecided},
		"its id is there":                   {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, "id head"), landed},
		"its id is there, further down":     {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, long(31, "id")), landed},
		"its id is there, with no base":     {withLedger(snapshotOf(nil, nil), 1, 1, ""), withLedger(snapshotOf(nil, nil), 2, 1, "x id"), landed},
		"the base's head stands without it": {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, "x y head"), missed},
		"the ledger is as it was":           {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, "head"), unknowable},
		"more commits than it holds":        {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, long(32)), unknowable},
		"the base's head is beyond the end": {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, long(32, "head")), unknowable},
		"the ledger was wiped":              {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 1, ""), unknowable},
		"there never was a ledger":          {withLedger(snapshotOf(nil, nil), 1, 1, ""), withLedger(snapshotOf(nil, nil), 2, 1, "x"), unknowable},
		"another epoch":                     {withLedger(snapshotOf(nil, nil), 1, 1, "head"), withLedger(snapshotOf(nil, nil), 2, 2, "id head"), unknowable},
		"the map is gone":                   {withLedger(snapshotOf(nil, nil), 1, 1, "head"), absent, unknowable},
	} {
		if got := verdictOn("id", row.base, row.now); got != row.want {
			t.Errorf("%s: verdict %v, want %v", name, got, row.want)
		}
	}
}

// verdictOn is what a store says of a commit that has been shown one version.
func verdictOn(id string, base, now *Snapshot) verdict {
	c := newClaim(id, base)
	c.witness(now)
	return c.verdict(now)
}

// What the watch has shown counts, whatever stands in the ledger now.
func TestWhatHasBeenSeenOfACommitCounts(t *testing.T) {
	revised := func(revision, follows string, s *Snapshot) *Snapshot {
		s.revision, s.follows = revision, follows
		return s
	}
	base := revised("10", "9", withLedger(snapshotOf(nil, nil), 1, 1, "head"))
	now := revised("30", "29", withLedger(snapshotOf(nil, nil), 3, 1, "x head"))
	wiped := revised("30", "29", withLedger(snapshotOf(nil, nil), 3, 1, ""))
	gone := absentSnapshot("uid", "30")
	gone.serial, gone.epoch = 3, 1
	for name, row := range map[string]struct {
		seen, now *Snapshot
		want      verdict
	}{
		"its id, and then an older ledger":         {revised("20", "15", withLedger(snapshotOf(nil, nil), 0, 0, "id head")), now, landed},
		"its id, and then the map is deleted":      {revised("20", "10", withLedger(snapshotOf(nil, nil), 0, 0, "id head")), gone, landed},
		"another right behind the base, then none": {revised("20", "10", withLedger(snapshotOf(nil, nil), 0, 0, "head")), wiped, missed},
		"another, but not right behind the base":   {revised("20", "15", withLedger(snapshotOf(nil, nil), 0, 0, "head")), wiped, unknowable},
		"nobody knows what it came behind":         {revised("20", "", withLedger(snapshotOf(nil, nil), 0, 0, "head")), wiped, unknowable},
	} {
		c := newClaim("id", base)
		c.witness(row.seen)
		c.witness(row.now)
		if got := c.verdict(row.now); got != row.want {
			t.Errorf("%s: verdict %v, want %v", name, got, row.want)
		}
	}
	nameless := newClaim("id", withLedger(snapshotOf(nil, nil), 1, 1, "head")) // as with a fake clientset
	nameless.witness(withLedger(snapshotOf(nil, nil), 2, 1, ""))
	if got := nameless.verdict(wiped); got != unknowable {
		t.Errorf("without revisions: verdict %v, want %v", got, unknowable)
	}
}

// Whatever stands in the annotation, a commit's id gets to its head, what we
// can look up stays, and the annotation stays short.
func FuzzLedger(f *testing.F) {
	for _, seed := range []string{"", "a b c", "  \t\n", strings.Repeat("garbage ", 99), strings.Repeat("x", 1<<16), "AAAAAAAAAAAA \xff\xfe", strings.Repeat("ABCDEFGHIJKL ", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		base := withLedger(snapshotOf(nil, nil), 1, 1, annotation)
		id := newCommitID(newAuthor())
		written := base.ledgerWith(id)
		if len(written) > ledgerLength*(commitIDLength+1) {
			t.Errorf("%d bytes", len(written))
		}
		next := withLedger(snapshotOf(nil, nil), 2, 1, written)
		if got := verdictOn(id, base, next); got != landed {
			t.Errorf("the commit's verdict is %v", got)
		}
		if ids := next.ledger(); len(ids) > ledgerLength || ids[0] != id {
			t.Errorf("the ledger is %q", ids)
		}
		for i, old := range base.ledger() {
			if i == ledgerLength-1 || len(old) > commitIDLength {
				break
			}
			if !slices.Contains(next.ledger(), old) {
				t.Errorf("%q has dropped out", old)
			}
		}
	})
}
