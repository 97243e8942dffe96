package mapstore

import (
	"math/big"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// Versions come in any order, by any door and with any revision. A step is a
// letter: which door and which object; its revision is one of the words.
func FuzzReplica(f *testing.F) {
	const decimals = "1 2 9 10 11 99 100 101 18446744073709551615 18446744073709551616"
	for _, words := range []string{decimals, "", "0", "x", "1 x 2 0 03 3 -1 +4 4 5\n6 ６ 1e3", strings.Repeat("9", 400) + " 1 " + strings.Repeat("8", 400)} {
		f.Add("", words)
		f.Add("aaaaaa", words)         // install
		f.Add("abcabcabc", words)      // recreated again and again
		f.Add("aAaAbBcC", words)       // and confirmed
		f.Add("axaybzcx", words)       // deleted, with and without a UID
		f.Add("abzzzAyXcaaa", words)   // back to before the map
		f.Add("eEaedEdeE", words)      // another state of the same revision
		f.Add("aqaqAqbqBqyqYq", words) // answers to questions of long ago
		f.Add(strings.Repeat("aBxCqAZ", 9), words)
	}
	f.Fuzz(func(t *testing.T, steps, text string) {
		words := append(strings.Split(text, " "), "5")
		r := newReplica()
		asked := r.load()
		for i, step := range steps[:min(len(steps), 300)] {
			revision := words[(i*7+int(step))%len(words)]
			before := r.load()
			if step == 'q' { // a quorum read is sent; its answer may be long in coming
				asked = before
				continue
			}
			next := versionOf(step|0x20, revision) // in lower case
			confirms := step < 'a'
			if next.uid == "" && !confirms { // only a fake clientset has those
				continue
			}
			if confirms {
				r.confirm(next, asked)
			} else {
				r.install(next, asked.rewinds)
			}
			if asked.rewinds != before.rewinds {
				if r.load() != before {
					t.Errorf("%s was taken, which was asked for before the server went back in time", next.revision)
				}
				continue
			}
			checkStep(t, before, r.load(), next, asked, confirms)
		}
	})
}

// versionOf returns the version that a letter stands for.
func versionOf(letter rune, revision string) *Snapshot {
	switch letter {
	case 'x':
		return absentSnapshot("a", revision)
	case 'y':
		return absentSnapshot("", revision)
	case 'z':
		return absentSnapshot("b", revision)
	case 'd', 'e':
		s := version("a", revision)
		s.data = map[string]string{"of": string(letter)}
		return s
	default:
		return version(types.UID("uid-"+string(letter)), revision)
	}
}

func checkStep(t *testing.T, before, after, next, asked *Snapshot, confirms bool) {
	t.Helper()
	change, _ := changeBetween(before, after, nil)
	if after == before {
		if newerNumber(next.revision, before.revision) {
			t.Errorf("%s was dropped at %s", next.revision, before.revision)
		}
		return
	}
	if after != next || after.sequence != before.sequence+1 {
		t.Fatalf("version %d, %s, follows version %d, %s", after.sequence, after.revision, before.sequence, before.revision)
	}
	if before.uid != "" && after.uid == "" {
		t.Error("the UID is lost")
	}
	back := ordered(after.revision, before.revision) && !newerNumber(after.revision, before.revision)
	switch {
	case back && !confirms:
		t.Errorf("back from %s to %s without a quorum read", before.revision, after.revision)
	case back && after.revision != before.revision && !newerNumber(asked.revision, after.revision):
		t.Errorf("back from %s to %s, by an answer that is merely late: asked at %s", before.revision, after.revision, asked.revision)
	case back && after.revision == before.revision && after.equal(before):
		t.Errorf("%s again is news", after.revision)
	}
	recreated := before.uid != "" && after.uid != before.uid
	if want := before.sequence > 0 && (back || recreated); change.Reset != want {
		t.Errorf("Reset is %v from %s %s to %s %s, want %v", change.Reset, before.uid, before.revision, after.uid, after.revision, want)
	}
	grown := after.resets - before.resets
	if grown > 1 || (grown == 1) != change.Reset {
		t.Errorf("%d resets from version %d on, Reset %v", grown, before.sequence, change.Reset)
	}
}

// number reads a revision: a positive decimal without leading zeros, of any
// length.
func number(revision string) (*big.Int, bool) {
	n, ok := new(big.Int).SetString(revision, 10)
	return n, ok && n.Sign() > 0 && n.String() == revision
}

func ordered(a, b string) bool {
	_, aOK := number(a)
	_, bOK := number(b)
	return aOK && bOK
}

func newerNumber(a, b string) bool {
	x, _ := number(a)
	y, _ := number(b)
	return ordered(a, b) && x.Cmp(y) > 0
}
