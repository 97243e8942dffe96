package typed

import (
	"errors"
	"testing"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Versions may be examined in any order: the newest good one is served, also if
// it comes behind a newer one that was rejected, and that stays rejected.
func TestFindingsArePublishedInTheOrderOfTheVersions(t *testing.T) {
	store, err := mapstore.New(fake.NewClientset(), "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	v := Bind(store, "n", Int[int](), 0)
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
		v.examine(step.sequence, mapstore.NewSnapshot(map[string]string{"n": step.text}))
		if v.Load() != step.want || (v.Err() != nil) != step.wrong {
			t.Errorf("after %q of version %d: %d, %v", step.text, step.sequence, v.Load(), v.Err())
		}
	}
	if n := store.Stats().Rejections; n != 1 {
		t.Errorf("%d rejections are counted, want 1", n)
	}
}

// A text need not stay in memory once its key is gone: it may be large, or a secret.
func TestATextIsForgottenWithItsKey(t *testing.T) {
	store := mapstoretest.NewStore(t, nil)
	v := Bind(store, "n", Int[int](), 0)
	double := func(n int) (int, error) { return 2 * n, nil }
	if err := errors.Join(v.Set(t.Context(), 5), v.Update(t.Context(), double), store.Delete(t.Context(), "n")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.WaitUntil(t.Context(), func(n int) bool { return n == 0 }); err != nil {
		t.Fatal(err)
	}
	if v.checked.Load() != nil || v.bound.states.Load().text != "" {
		t.Error("the text is still there")
	}
}
