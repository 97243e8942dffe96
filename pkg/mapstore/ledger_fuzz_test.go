package mapstore

import (
	"slices"
	"strings"
	"testing"
)

// FuzzLedger shows what one commit writes. Here the verdict on a commit is
// compared with what really became of it, through any later history: commits of
// other stores, edits that leave the ledger as it is, and foreign hands in it.
// It may be that nobody can know, but what is known is true. One hand is left
// out: who puts the very ids back that stood there before rewinds the ledger,
// which looks as if nothing had been committed since.
func FuzzVerdicts(f *testing.F) {
	f.Add("g", "g", "a rewound ledger", true)
	f.Add("g", "r", "a restored backup", true)
	for _, history := range []string{
		"", "c", "m", "cccc", "w", "wc", "cw", "cwc", "g", "gc", "cgc", "d", "cd", "r", "rc", "cr", "t", "ct", "mtc", "s", "cs", "csc",
		strings.Repeat("c", 30), strings.Repeat("c", 31), strings.Repeat("c", 32), strings.Repeat("c", 33), strings.Repeat("cm", 40),
	} {
		for _, garbage := range []string{"", "x y \x00\n z", strings.Repeat("AAAAAAAAAAAA ", 40), strings.Repeat("x", 1<<12), "\xff\xfe \u2003 \u0085"} {
			f.Add("c", history, garbage, true)
			f.Add("", history, garbage, true)
			f.Add("g", history, garbage, false)
			f.Add("cccc", history, garbage, false)
		}
	}
	f.Fuzz(func(t *testing.T, before, after, garbage string, lands bool) {
		now := withLedger(snapshotOf(nil, nil), 1, 1, "")
		play := func(history string) {
			for _, what := range history[:min(len(history), 200)] {
				now = succeed(now, what, garbage)
			}
		}
		play(before)
		base, id := now, newCommitID(newAuthor())
		sent := base.ledgerWith(id)
		if lands {
			now = withLedger(snapshotOf(nil, nil), base.serial+1, base.epoch, sent)
		}
		play(after)

		switch got := verdictOn(id, base, now); {
		case now.serial == base.serial && got != undecided:
			t.Errorf("verdict %v while the base is the newest", got)
		case now.serial != base.serial && got == undecided:
			t.Error("no verdict though there is a later version")
		case now.epoch != base.epoch && got != unknowable:
			t.Errorf("verdict %v on a commit to a map that is no more", got)
		case got == landed && !lands:
			t.Errorf("landed, which it did not: base %q, now %q", base.ledger(), now.ledger())
		case got == missed && lands && !slices.Contains(strings.Fields(garbage), base.ledger()[0]):
			t.Errorf("missed, but it had landed: base %q, now %q", base.ledger(), now.ledger())
		}
		// What others may do with up to 31 commits and any edits beside the ledger
		// must not make the store forget.
		if lands && len(after) < ledgerLength && strings.Trim(after, "cm") == "" {
			if got := verdictOn(id, base, now); got != landed {
				t.Errorf("verdict %v after %q, want landed", got, after)
			}
		}
		if later := now.ledgerWith(newCommitID(newAuthor())); len(later) > ledgerLength*(commitIDLength+1) {
			t.Errorf("the next commit writes %d bytes", len(later))
		}
	})
}

// succeed returns the version after s in which one thing has happened.
func succeed(s *Snapshot, what rune, garbage string) *Snapshot {
	annotation := ""
	if s.object != nil {
		annotation = s.object.Annotations[ledgerAnnotation]
	}
	epoch := s.epoch
	switch what {
	case 'c': // another store commits
		annotation = s.ledgerWith(newCommitID(newAuthor()))
	case 'w': // wiped
		annotation = ""
	case 'g': // written over
		annotation = garbage
	case 't': // garbage at its head, as an editor would leave it
		annotation = garbage + " " + annotation
	case 's': // other separators and doubled entries
		ids := strings.Fields(annotation)
		annotation = strings.Join(slices.Concat(ids, ids), "\n\t")
	case 'd': // the map is deleted
		absent := absentSnapshot(s.uid, "9")
		absent.serial, absent.epoch = s.serial+1, epoch
		return absent
	case 'r': // recreated
		annotation = garbage
		epoch++
	default: // an edit of something else
	}
	return withLedger(snapshotOf(nil, nil), s.serial+1, epoch, annotation)
}
