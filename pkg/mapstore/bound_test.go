package mapstore

import (
	"testing"

	"k8s.io/client-go/kubernetes/fake"
)

// Versions may be examined in any order: the newest good one is served, also if
// it comes behind a newer one that was rejected, and that stays rejected.
func TestOutcomesAreSettledInTheOrderOfTheVersions(t *testing.T) {
	store, err := New(fake.NewClientset(), "ns", "settings", Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := Bind(store, "n", Int[int](), 0)
	defer store.Close()
	at := func(sequence uint64, text string) {
		v.examine(&Snapshot{data: map[string]string{"n": text}, sequence: sequence})
	}
	for _, step := range []struct {
		sequence uint64
		text     string
		want     int
		wrong    bool
	}{
		{1, "1", 1, false},
		{4, "bad", 1, true},
		{2, "bad, too", 1, true},
		{3, "3", 3, true}, // late
		{2, "2", 3, true}, // older than what is served
		{5, "5", 5, false},
		{4, "bad", 5, false},
	} {
		at(step.sequence, step.text)
		if v.Load() != step.want || (v.Err() != nil) != step.wrong {
			t.Errorf("after %q of version %d: %d, %v", step.text, step.sequence, v.Load(), v.Err())
		}
	}
	if n := store.rejections.total.Load(); n != 1 {
		t.Errorf("%d rejections are counted, want 1", n)
	}
}
