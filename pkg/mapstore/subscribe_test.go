package mapstore

import (
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"testing"
	"weak"
)

// Subscribers come one after the other, each at another version. Those who never hear of
// anything keep no old version in memory, and all share what it takes to compare two.
func TestSubscribersWhoHearNothingNewCostNothingOfTheirOwn(t *testing.T) {
	var chains []*chain
	var old []weak.Pointer[Snapshot]
	data := make(map[string]string)
	var now *Snapshot
	for i := range uint64(100) {
		data[fmt.Sprintf("key-%d", i%7)] = strconv.FormatUint(i, 10)
		now = snapshotOf(maps.Clone(data), nil)
		now.sequence = i + 1
		old = append(old, weak.Make(now))
		chains = append(chains, newChain([]Filter{Keys("key-0")}), newChain([]Filter{Keys("none")}))
		for _, chain := range chains {
			chain.next(now)
		}
		if n := len(now.diffs); n > 2 { // with the version before, and with nothing for those who are new
			t.Fatalf("version %d was compared with %d others", i, n)
		}
	}
	runtime.GC()
	for i, version := range old[:len(old)-1] {
		if version.Value() != nil {
			t.Errorf("version %d is still there", i)
		}
	}
	runtime.KeepAlive(chains)
}

// A Change begins where the one before it ended, as far as the subscriber can see; the
// first one begins at nothing. Both hold however much else has changed in between.
func TestAFilteredChainIsUnbroken(t *testing.T) {
	c := newChain([]Filter{Keys("k")})
	var told []string
	for i, step := range []struct {
		k, other string
		resets   uint64
	}{
		{"", "1", 0},
		{"", "2", 1}, // whoever was told of nothing is told of no Reset
		{"a", "2", 1},
		{"a", "3", 1},
		{"a", "4", 1},
		{"b", "5", 1},
		{"b", "6", 2},
		{"", "7", 2},
	} {
		data := map[string]string{"other": step.other}
		if step.k != "" {
			data["k"] = step.k
		}
		now := snapshotOf(data, nil)
		now.sequence, now.resets = uint64(i+1), step.resets
		change, ok := c.next(now)
		if !ok {
			continue
		}
		from, _ := change.Old.Get("k")
		to, _ := change.New.Get("k")
		told = append(told, fmt.Sprintf("%q to %q, reset %v, %d keys before", from, to, change.Reset, change.Old.Len()))
	}
	want := []string{
		`"" to "a", reset false, 0 keys before`,
		`"a" to "b", reset false, 2 keys before`,
		`"b" to "b", reset true, 2 keys before`,
		`"b" to "", reset false, 2 keys before`,
	}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told\n%q, want\n%q", told, want)
	}
}

// Without filters, the next Change begins at the very version that the last one led to,
// whatever else has come that changes no entry.
func TestAChainWithoutFiltersLeavesNothingOut(t *testing.T) {
	c := newChain(nil)
	var last *Snapshot
	for i, k := range []string{"a", "a", "b", "b", "a"} {
		now := snapshotOf(map[string]string{"k": k}, nil)
		now.sequence = uint64(i + 1)
		change, ok := c.next(now)
		if ok != (i%2 == 0) || ok && last != nil && change.Old != last {
			t.Errorf("version %d: told: %v, from %v", i+1, ok, change.Old)
		}
		if ok {
			last = now
		}
	}
}
