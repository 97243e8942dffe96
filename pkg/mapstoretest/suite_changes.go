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
		f := follow(store)
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
		f.reaches(s, now)
		if f.resets() != 0 {
			s.Errorf("%d resets", f.resets())
		}
	}},
	{"promise 7: a slow callback costs only itself, and ends at the current state", func(s *suite) {
		store := s.store()
		release := make(chan struct{})
		slow := follow(store, func() { <-release })
		quick := follow(store)
		for range 10 {
			s.add(store, "n")
		}
		quick.reaches(s, store.Snapshot())
		close(release)
		slow.reaches(s, store.Snapshot())
	}},
	{"promise 7: a filter leaves out the changes of other keys", func(s *suite) {
		store := s.store()
		seen := make(chan []string, 10)
		store.OnChange(func(change mapstore.Change) { seen <- change.Keys() }, mapstore.Keys("wanted"))
		for _, key := range []string{"other", "wanted"} {
			if err := store.Set(s.within(), key, "1"); err != nil {
				s.Fatal(err)
			}
		}
		if keys := <-seen; len(keys) != 1 || keys[0] != "wanted" {
			s.Errorf("a change of %v", keys)
		}
	}},
	{"promise 8: a deleted map is empty, and the next write creates it anew", func(s *suite) {
		before := s.outside.Put(map[string]string{"k": "1"})
		store := s.store()
		f := follow(store)
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
		f := follow(store)
		f.reaches(s, store.Snapshot())
		s.outside.Delete()
		uid := s.outside.Put(map[string]string{"k": "2"}).UID
		now := s.until(store, func(now *mapstore.Snapshot) bool { return now.Exists() && now.UID() == uid })
		f.reaches(s, now)
		if f.resets() == 0 {
			s.Error("no reset")
		}
	}},
}

// A follower folds what it is told.
type follower struct {
	mu       sync.Mutex // protects all below
	contents map[string]string
	last     *mapstore.Snapshot // what the last change led to
	broken   bool               // a change did not begin where the one before it ended
	reset    int
	news     chan struct{} // holds a token after a change
}

func follow(store *mapstore.Store, before ...func()) *follower {
	f := &follower{contents: make(map[string]string), news: make(chan struct{}, 1)}
	store.OnChange(func(change mapstore.Change) {
		for _, fn := range before {
			fn()
		}
		f.fold(change)
	})
	return f
}

func (f *follower) fold(change mapstore.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = f.broken || f.last == nil && change.Old.Len() != 0 || f.last != nil && change.Old != f.last
	for key, delta := range change.Deltas() {
		if delta.Op == mapstore.Removed {
			delete(f.contents, key)
		} else {
			f.contents[key] = delta.New
		}
	}
	if change.Reset {
		f.reset++
	}
	f.last = change.New
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// reaches waits until the contents are those of the snapshot.
func (f *follower) reaches(s *suite, want *mapstore.Snapshot) {
	s.Helper()
	for {
		f.mu.Lock()
		done, broken := maps.Equal(f.contents, maps.Collect(want.All())), f.broken
		f.mu.Unlock()
		switch {
		case broken:
			s.Fatal("a change does not begin where the one before it ended")
		case done:
			return
		}
		select {
		case <-f.news:
		case <-s.within().Done():
			s.Fatalf("the subscriber has not come to revision %s", want.Revision())
		}
	}
}

func (f *follower) resets() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reset
}
