package e2e

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promise 8.
func TestADeletedMapIsEmptyAndTheNextWriteCreatesItAnew(t *testing.T) {
	s := newSite(t)
	store := s.store()
	f := newFollower(t)
	store.OnChange(f.take)
	s.set(store, "k", "v")
	first := s.get()
	f.reaches("k is there", func(now *mapstore.Snapshot) bool { return now.Len() == 1 })

	s.remove()
	gone := s.waitUntil(store, "the map is gone", func(now *mapstore.Snapshot) bool { return !now.Exists() })
	if gone.Len() != 0 || gone.UID() != first.UID {
		t.Errorf("after the deletion: %v, UID %s, want empty and %s", contents(gone), gone.UID(), first.UID)
	}
	f.reaches("the map is gone", func(now *mapstore.Snapshot) bool { return !now.Exists() })
	if _, resets, _ := f.state(); resets != 0 {
		t.Error("a deletion came as a Reset")
	}
	s.set(store, "k", "again")
	if second := s.get(); second.UID == first.UID || second.Data["k"] != "again" {
		t.Errorf("after the next write: %v", second.Data)
	}
	f.reaches("k is back", func(now *mapstore.Snapshot) bool { return now.Len() == 1 })
	if _, resets, _ := f.state(); resets != 1 {
		t.Errorf("%d Resets for one recreation", resets)
	}
}

func TestARecreatedMapArrivesAsAReset(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"same": "1", "old": "1"})
	f := newFollower(t)
	store.OnChange(f.take)
	f.reaches("the first map is there", (*mapstore.Snapshot).Exists)
	s.remove()
	second := s.create(map[string]string{"same": "1", "new": "1"})
	f.reaches("the second map is there", func(now *mapstore.Snapshot) bool { return now.UID() == second.UID })
	if _, resets, _ := f.state(); resets != 1 {
		t.Errorf("%d Resets", resets)
	}
}

// A write that meets the deletion before the watch does.
func TestWritesGoOnWhileTheMapIsDeletedAgainAndAgain(t *testing.T) {
	s := newSite(t)
	stores := []*mapstore.Store{s.store(), s.store()}
	f := newFollower(t)
	stores[1].OnChange(f.take)
	for n := range 25 {
		s.set(stores[n%2], "n", strconv.Itoa(n))
		s.remove()
		if n%3 == 0 {
			s.create(map[string]string{"foreign": "1"})
		}
	}
	s.set(stores[0], "n", "end")
	f.reaches("the end is there", func(now *mapstore.Snapshot) bool {
		n, _ := now.Get("n")
		return n == "end"
	})
}

func TestAnImmutableMapIsRefusedLocally(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"k": "v"})
	object := s.patch(`{"immutable":true}`)
	s.waitForRevision(store, object.ResourceVersion)
	if err := store.Set(t.Context(), "k", "w"); !errors.Is(err, mapstore.ErrImmutable) {
		t.Errorf("Set: %v", err)
	}
	if err := store.Set(t.Context(), "k", "v"); err != nil {
		t.Errorf("a Set that changes nothing: %v", err)
	}
	s.remove()
	recreated := s.create(map[string]string{"k": "v"})
	s.waitForRevision(store, recreated.ResourceVersion)
	if err := store.Set(t.Context(), "k", "w"); err != nil {
		t.Errorf("Set after the map was recreated: %v", err)
	}
}

func TestCloseEndsEverythingAndReadsGoOn(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "k", "v")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := store.Update(t.Context(), increment("n")); err != nil {
					if !errors.Is(err, mapstore.ErrClosed) {
						t.Errorf("Update while closing: %v", err)
					}
					return
				}
			}
		})
	}
	wg.Go(func() {
		if _, err := store.WaitUntil(t.Context(), func(*mapstore.Snapshot) bool { return false }); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("WaitUntil while closing: %v", err)
		}
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("Get after Close = %q", got)
	}
	for name, err := range map[string]error{
		"Set":         store.Set(t.Context(), "k", "w"),
		"Delete":      store.Delete(t.Context(), "k"),
		"Clear":       store.Clear(t.Context()),
		"Verify":      store.Verify(t.Context()),
		"WaitForSync": store.WaitForSync(t.Context()),
		"Start":       store.Start(t.Context()),
		"Check":       store.Check(nil),
	} {
		if !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if _, err := store.Sync(t.Context()); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Sync after Close: %v", err)
	}
	if _, err := store.WaitFor(t.Context(), ""); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("WaitFor after Close: %v", err)
	}
	store.OnChange(func(mapstore.Change) { t.Error("a callback after Close") }).Stop()
	if err := store.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
