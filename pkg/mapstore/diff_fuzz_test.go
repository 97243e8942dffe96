package mapstore

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// entries reads a map off lines of key=value.
func entries(text string) map[string]string {
	data := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		data[key] = value
	}
	return data
}

// The deltas lead from the one map to the other, and say nothing beyond that;
// through a filter, they are those of what it lets through.
func FuzzChanges(f *testing.F) {
	for _, seed := range [][4]string{
		{"", "", "", ""},
		{"", "a=1\nb=2", "", "a"},
		{"a=1\nb=2", "", "a", "b"},
		{"same=1\nchanged=1\ngone=1", "same=1\nchanged=2\nnew=", "ne", "gone"},
		{"k=", "k", "k", "k"},                   // an empty value is a value
		{"k=", "", "", "k"},                     // and its removal a change
		{"a=\xff\nä=1", "a=\xfe\nä=1", "ä", ""}, // bytes, not text
		{"b=1\na=1\nB=1\n.=1\n-=1", "c=1", "", "c"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], false)
		f.Add(seed[0], seed[1], seed[2], seed[3], true)
	}
	f.Fuzz(func(t *testing.T, oldText, newText, prefix, name string, reset bool) {
		from, to := entries(oldText), entries(newText)
		old, now, empty := snapshotOf(maps.Clone(from), nil), snapshotOf(maps.Clone(to), nil), &Snapshot{}
		old.sequence, now.sequence = 1, 2
		old.resets, now.resets = 1, 1
		if reset {
			now.resets = 2
		}
		for description, row := range map[string]struct {
			filters []Filter
			passes  func(string) bool
		}{
			"unfiltered":    {nil, func(string) bool { return true }},
			"a prefix":      {[]Filter{Prefix(prefix)}, func(key string) bool { return strings.HasPrefix(key, prefix) }},
			"a key":         {[]Filter{Keys(name)}, func(key string) bool { return key == name }},
			"either of two": {[]Filter{Prefix(prefix), Keys(name)}, func(key string) bool { return key == name || strings.HasPrefix(key, prefix) }},
			"nothing":       {[]Filter{Keys()}, func(string) bool { return false }},
		} {
			hidden := func(key, _ string) bool { return !row.passes(key) }
			from, to := maps.Clone(from), maps.Clone(to)
			maps.DeleteFunc(from, hidden)
			maps.DeleteFunc(to, hidden)

			change, tell := changeBetween(old, now, row.filters)
			if want := reset || !maps.Equal(from, to); tell != want {
				t.Errorf("%s: there is something to tell: %v, want %v", description, tell, want)
			}
			if change.Reset != reset || change.Old != old || change.New != now {
				t.Errorf("%s: Reset %v, want %v, or other ends", description, change.Reset, reset)
			}
			checkDeltas(t, description, change, from, to)

			// The same snapshot tells each of its subscribers what that one missed.
			first, _ := changeBetween(empty, now, row.filters)
			if first.Reset {
				t.Errorf("%s: the first Change is a Reset", description)
			}
			checkDeltas(t, description+", first", first, nil, to)
		}
	})
}

// checkDeltas checks that the deltas are what leads from one map to another.
func checkDeltas(t *testing.T, description string, change Change, from, to map[string]string) {
	t.Helper()
	folded := maps.Clone(from)
	if folded == nil {
		folded = map[string]string{}
	}
	var keys []string
	for key, delta := range change.Deltas() {
		keys = append(keys, key)
		before, had := from[key]
		after, has := to[key]
		want := Delta{Op: Modified, Old: before, New: after}
		switch {
		case !had:
			want.Op = Added
		case !has:
			want.Op = Removed
		}
		if delta != want || had && has && before == after || !had && !has {
			t.Errorf("%s: %q is %+v, want %+v", description, key, delta, want)
		}
		if delta.Op == Removed {
			delete(folded, key)
		} else {
			folded[key] = delta.New
		}
	}
	if !maps.Equal(folded, to) {
		t.Errorf("%s: folding gives %q, want %q", description, folded, to)
	}
	for i := range keys {
		if i > 0 && keys[i-1] >= keys[i] {
			t.Errorf("%s: %q before %q", description, keys[i-1], keys[i])
		}
	}
	if !slices.Equal(change.Keys(), keys) {
		t.Errorf("%s: Keys %q, Deltas %q", description, change.Keys(), keys)
	}
}
