package mapstore

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func version(uid types.UID, revision string) *Snapshot {
	s := snapshotOf(map[string]string{"r": revision}, nil)
	s.uid, s.revision = uid, revision
	return s
}

func TestTheReplicaNeverGoesBack(t *testing.T) {
	r := newReplica()
	for _, step := range []struct {
		next   *Snapshot
		shows  string
		exist  bool
		resets uint64
	}{
		{version("a", "9"), "9", true, 0},
		{version("a", "10"), "10", true, 0},
		{version("a", "9"), "10", true, 0}, // a late answer
		{version("a", "10"), "10", true, 0},
		{absentSnapshot("a", "12"), "12", false, 0},
		{version("a", "11"), "12", false, 0}, // a late answer does not revive it
		{absentSnapshot("", "13"), "13", false, 0},
		{version("b", "14"), "14", true, 1}, // recreated
		{absentSnapshot("", "15"), "15", false, 1},
		{version("c", "20"), "20", true, 2},
	} {
		r.install(step.next, 0)
		now := r.load()
		if now.revision != step.shows || now.Exists() != step.exist || now.resets != step.resets {
			t.Fatalf("after %s %s: revision %s, exists %v, %d resets, want %+v", step.next.uid, step.next.revision, now.revision, now.Exists(), now.resets, step)
		}
		if now.uid == "" {
			t.Error("the UID is lost")
		}
	}
}

func TestOnlyAQuorumReadFromBeforeWhatWasSeenTurnsBackTime(t *testing.T) {
	r := newReplica()
	r.install(version("a", "100"), 0)
	asked := r.load()
	r.install(version("a", "101"), 0) // meanwhile
	r.confirm(version("a", "100"), asked)
	if got := r.load().revision; got != "101" {
		t.Fatalf("an answer that is merely late took the copy to %s", got)
	}
	r.confirm(version("a", "50"), asked)
	if now := r.load(); now.revision != "50" || now.resets != 1 {
		t.Fatalf("revision %s and %d resets, want to follow the server back", now.revision, now.resets)
	}
	back := r.load()
	r.confirm(version("a", "50"), back) // a second read says the same
	if now := r.load(); now != back {
		t.Errorf("%d resets: the same step back counted twice", now.resets)
	}
	r.install(version("a", "51"), back.rewinds)
	now := r.load()
	if r.confirm(version("a", "50"), asked) != nil || r.confirm(version("a", "102"), asked) != nil {
		t.Error("a read that was sent before the step back proves something")
	}
	r.install(version("a", "103"), asked.rewinds)
	if got := r.load(); got != now {
		t.Errorf("what was asked for before the step back took the copy from %s to %s", now.revision, got.revision)
	}
	r.confirm(absentSnapshot("", "40"), r.load())
	if now := r.load(); now.Exists() || now.resets != 2 {
		t.Errorf("exists %v, %d resets, want to follow the server back to before the map", now.Exists(), now.resets)
	}
}

func TestSnapshotsCompare(t *testing.T) {
	old := snapshotOf(map[string]string{"same": "1", "changed": "1", "gone": "1"}, nil)
	now := snapshotOf(map[string]string{"same": "1", "changed": "2", "new": ""}, nil)
	old.sequence, now.sequence = 1, 2
	want := []string{"changed", "gone", "new"}
	for range 2 { // the second answer is remembered
		if got := now.changedSince(old); !slices.Equal(got, want) {
			t.Errorf("changed keys %v, want %v", got, want)
		}
	}
	if got := now.changedSince(&Snapshot{}); !slices.Equal(got, []string{"changed", "new", "same"}) {
		t.Errorf("changed from empty: %v", got)
	}
	change, _ := changeBetween(old, now, nil)
	var deltas []string
	for key, delta := range change.Deltas() {
		deltas = append(deltas, fmt.Sprint(key, " ", delta.Op, " ", delta.Old, " ", delta.New))
	}
	if want := []string{"changed modified 1 2", "gone removed 1 ", "new added  "}; !slices.Equal(deltas, want) {
		t.Errorf("deltas %q, want %q", deltas, want)
	}
	for name, row := range map[string]struct {
		filters []Filter
		keys    []string
	}{
		"keys":          {[]Filter{Keys("gone", "same", "absent")}, []string{"gone"}},
		"a prefix":      {[]Filter{Prefix("n")}, []string{"new"}},
		"either of two": {[]Filter{Prefix("n"), Keys("changed")}, []string{"changed", "new"}},
		"none":          {[]Filter{Keys()}, nil},
	} {
		change, tell := changeBetween(old, now, row.filters)
		if !slices.Equal(change.Keys(), row.keys) || tell != (len(row.keys) > 0) {
			t.Errorf("%s: %v, %v", name, change.Keys(), tell)
		}
	}
	now.resets = 1
	if change, tell := changeBetween(old, now, []Filter{Keys()}); !tell || !change.Reset {
		t.Error("a Reset is silent when the filter lets no key through")
	}
}
