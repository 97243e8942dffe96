package mapstoretest

import (
	"context"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What stores promise while nothing breaks: promises 1 to 4.
var promiseProperties = []property{
	{"promises 1 and 2: every read comes from one committed version, and none from an older one", func(s *suite) {
		store := s.store()
		defer s.whileWriting("left", "right")()
		last := store.Snapshot()
		for range 100 {
			now := s.until(store, func(now *mapstore.Snapshot) bool { return now.Revision() != last.Revision() })
			if value(now, "left") != value(now, "right") {
				s.Fatalf("left = %q, right = %q", value(now, "left"), value(now, "right"))
			}
			before, _ := strconv.Atoi(value(last, "left")) // 0 at first
			n, _ := strconv.Atoi(value(now, "left"))
			if order, _ := resourceversion.CompareResourceVersion(last.Revision(), now.Revision()); order > 0 || n < before {
				s.Fatalf("revision %s with %d after %s with %d", now.Revision(), n, last.Revision(), before)
			}
			last = now
		}
	}},
	{"promise 3: a store reads its writes, and others do from their revision on", func(s *suite) {
		here, there := s.store(), s.store()
		for i := range 20 {
			want := strconv.Itoa(i + 1)
			after, err := here.Update(s.within(), add("n"))
			if err != nil {
				s.Fatal(err)
			}
			if got, _ := here.Get("n"); got != want {
				s.Errorf("n = %q after a write of %q", got, want)
			}
			seen, err := there.WaitFor(s.within(), after.Revision())
			if err != nil || value(seen, "n") != want {
				s.Errorf("n = %q from revision %s on: %v", value(seen, "n"), after.Revision(), err)
			}
		}
	}},
	{"promise 3: Sync sees what anybody has written before", func(s *suite) {
		store := s.store()
		for i := range 10 {
			s.outside.Set("k", strconv.Itoa(i))
			now, err := store.Sync(s.within())
			if err != nil || value(now, "k") != strconv.Itoa(i) {
				s.Errorf("k = %q after a write of %d: %v", value(now, "k"), i, err)
			}
		}
	}},
	{"promise 4: no update is lost between stores and others", func(s *suite) {
		const stores, writers, times = 3, 2, 5
		var wg sync.WaitGroup
		for range stores {
			store := s.store()
			for range writers {
				wg.Go(func() {
					for range times {
						s.add(store, "n")
					}
				})
			}
		}
		for i := range times {
			s.outside.Set("outside", strconv.Itoa(i))
		}
		wg.Wait()
		values := s.outside.Values()
		if values["n"] != strconv.Itoa(stores*writers*times) || values["outside"] != strconv.Itoa(times-1) {
			s.Errorf("n = %s, outside = %s", values["n"], values["outside"])
		}
	}},
}

// whileWriting counts these keys up with another store until halt is called.
func (s *suite) whileWriting(keys ...string) (halt func()) {
	s.Helper()
	writer := s.store()
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			s.add(writer, keys...)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func (s *suite) until(store *mapstore.Store, cond func(*mapstore.Snapshot) bool) *mapstore.Snapshot {
	s.Helper()
	now, err := store.WaitUntil(s.within(), cond)
	if err != nil {
		s.Fatal(err)
	}
	return now
}

func value(snapshot *mapstore.Snapshot, key string) string {
	if snapshot == nil {
		return ""
	}
	v, _ := snapshot.Get(key)
	return v
}

// add counts keys up, in one transaction.
func (s *suite) add(store *mapstore.Store, keys ...string) {
	s.Helper()
	if _, err := store.Update(s.within(), add(keys...)); err != nil {
		s.Errorf("Update: %v", err)
	}
}

// add returns a transaction that counts keys up.
func add(keys ...string) func(*mapstore.Tx) error {
	return func(tx *mapstore.Tx) error {
		for _, key := range keys {
			old, _ := tx.Get(key)
			n, _ := strconv.Atoi(old) // 0 at first
			tx.Set(key, strconv.Itoa(n+1))
		}
		return nil
	}
}
