package mapstore

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func version(uid types.UID, revision string) *Snapshot {
	s := snapshotOf(map[string]string{"r": revision}, nil)
	s.uid, s.revision = uid, revision
	return s
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
