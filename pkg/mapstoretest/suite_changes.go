package mapstoretest

import (
	"maps"
	"strconv"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What subscribers are told: promises 7 and 8.
var changeProperties = []property{
	{"promise 7: folding the deltas gives the contents, from the first change to the last", func(s *suite) {
		s.outside.Put(map[string]string{"from": "before", "gone": "soon"})
		store := s.store()
		f := s.follow(store)
		for i := range 20 {
			s.outside.Set("k", strconv.Itoa(i))
			s.add(store, "n")
		}
		if err := store.Delete(s.within(), "gone"); err != nil {
			s.Fatal(err)
		}
		now, err := store.Sync(s.within())
		if err != nil {
			s.Fatal(err)
		}
		if resets := f.reaches(s, now); resets != 0 {
			s.Errorf("%d resets", resets)
		}
	}},
	{"promise 8: a deleted map is empty, and the next write creates it anew", func(s *suite) {
		before := s.outside.Put(map[string]string{"k": "1"})
		store := s.store()
		f := s.follow(store)
		s.outside.Delete()
		gone := s.until(store, func(now *mapstore.Snapshot) bool { return !now.Exists() })
		if gone.Len() != 0 || gone.UID() != before.UID {
			s.Errorf("%d keys, UID %s", gone.Len(), gone.UID())
		}
		if err := store.Set(s.within(), "k", "2"); err != nil {
			s.Fatal(err)
		}
		after := s.outside.Get()
		if after == nil || after.UID == before.UID || after.Data["k"] != "2" {
			s.Error("the map is not a new one with k = 2")
		}
		f.reaches(s, store.Snapshot())
	}},
	{"promise 8: a recreated map is a reset", func(s *suite) {
		s.outside.Put(map[string]string{"k": "1", "old": "1"})
		store := s.store()
		f := s.follow(store)
		f.reaches(s, store.Snapshot())
		s.outside.Delete()
		uid := s.outside.Put(map[string]string{"k": "2"}).UID
		now := s.until(store, func(now *mapstore.Snapshot) bool { return now.Exists() && now.UID() == uid })
		if f.reaches(s, now) == 0 {
			s.Error("no reset")
		}
	}},
}

// A follower folds what it is told.
type follower struct {
	mu       sync.Mutex // protects all below
	contents map[string]string
	last     *mapstore.Snapshot // what the last change led to
	resets   int
}

func (s *suite) follow(store *mapstore.Store) *follower {
	f := &follower{contents: make(map[string]string)}
	store.OnChange(func(change mapstore.Change) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.last == nil && change.Old.Len() != 0 || f.last != nil && change.Old != f.last {
			s.Error("a change does not begin where the one before it ended")
		}
		f.last = change.New
		for key, delta := range change.Deltas() {
			if delta.Op == mapstore.Removed {
				delete(f.contents, key)
			} else {
				f.contents[key] = delta.New
			}
		}
		if change.Reset {
			f.resets++
		}
	})
	return f
}

// reaches waits until the contents are those of the snapshot, and returns how many
// resets there were.
func (f *follower) reaches(s *suite, want *mapstore.Snapshot) int {
	s.Helper()
	s.eventually("the subscriber comes to revision "+want.Revision(), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return maps.Equal(f.contents, maps.Collect(want.All()))
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resets
}
