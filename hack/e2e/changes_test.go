package e2e

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A follower folds the deltas of the changes that it gets, from an empty map,
// and checks on each what promise 7 says of it.
type follower struct {
	t       *testing.T
	filters []func(string) bool

	mu      sync.Mutex
	folded  map[string]string
	last    *mapstore.Snapshot
	changes int
	resets  int
	running bool
}

func newFollower(t *testing.T) *follower {
	return &follower{t: t, folded: map[string]string{}}
}

func (f *follower) take(c mapstore.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		f.t.Error("two callbacks at a time")
	}
	f.running = true
	defer func() { f.running = false }()

	if f.last == nil {
		if c.Old.Len() != 0 || c.Old.Exists() || c.Old.Revision() != "" {
			f.t.Errorf("the first Change starts from %v at %q", contents(c.Old), c.Old.Revision())
		}
	} else if c.Old != f.last {
		f.t.Errorf("a Change starts at revision %s, the one before ended at %s", c.Old.Revision(), f.last.Revision())
	}
	if f.last != nil && !c.Reset {
		if order, err := resourceversion.CompareResourceVersion(c.New.Revision(), f.last.Revision()); err != nil || order <= 0 {
			f.t.Errorf("revision %s after %s without a Reset", c.New.Revision(), f.last.Revision())
		}
	}
	keys := c.Keys()
	if len(keys) == 0 && !c.Reset {
		f.t.Error("a Change without deltas that is no Reset")
	}
	if !slices.IsSorted(keys) {
		f.t.Errorf("keys are not sorted: %v", keys)
	}
	var fromDeltas []string
	for key, delta := range c.Deltas() {
		fromDeltas = append(fromDeltas, key)
		old, had := f.folded[key]
		if delta.Old != old || had == (delta.Op == mapstore.Added) {
			f.t.Errorf("%s %v from %q, but it was %q", key, delta.Op, delta.Old, old)
		}
		if delta.Op == mapstore.Modified && delta.Old == delta.New {
			f.t.Errorf("%s is modified from %q to itself", key, delta.New)
		}
		if delta.Op == mapstore.Removed {
			delete(f.folded, key)
		} else {
			f.folded[key] = delta.New
		}
	}
	if !slices.Equal(keys, fromDeltas) {
		f.t.Errorf("Keys %v, Deltas %v", keys, fromDeltas)
	}
	want := contents(c.New)
	for _, pass := range f.filters {
		maps.DeleteFunc(want, func(key, _ string) bool { return !pass(key) })
	}
	if !maps.Equal(f.folded, want) {
		f.t.Errorf("folding the deltas gives %v, want %v", f.folded, want)
	}
	f.last = c.New
	f.changes++
	if c.Reset {
		f.resets++
	}
}

func (f *follower) state() (changes, resets int, last *mapstore.Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes, f.resets, f.last
}

// reaches waits until the follower has been told of a version.
func (f *follower) reaches(what string, cond func(*mapstore.Snapshot) bool) {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		changes, _, last := f.state()
		if last != nil && cond(last) {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("no Change in which %s after %d changes", what, changes)
		}
		time.Sleep(time.Millisecond)
	}
}

// atLeast is met by versions that are not older than revision.
func atLeast(revision string) func(*mapstore.Snapshot) bool {
	return func(now *mapstore.Snapshot) bool {
		order, err := resourceversion.CompareResourceVersion(now.Revision(), revision)
		return err == nil && order >= 0
	}
}

func TestFoldingTheChangesGivesTheMap(t *testing.T) {
	s := newSite(t)
	stores := []*mapstore.Store{s.store(), s.store()}
	followers := []*follower{newFollower(t), newFollower(t)}
	for i, f := range followers {
		stores[i].OnChange(f.take)
	}
	filtered := newFollower(t)
	filtered.filters = []func(string) bool{func(key string) bool { return strings.HasPrefix(key, "k1") || key == "k2" }}
	stores[1].OnChange(filtered.take, mapstore.Prefix("k1"), mapstore.Keys("k2"))

	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for n := range 25 {
				key := fmt.Sprintf("k%d", (w*7+n*3)%13)
				var err error
				switch n % 5 {
				case 4:
					err = stores[w%2].Delete(t.Context(), key)
				default:
					err = stores[w%2].Set(t.Context(), key, strconv.Itoa(w*100+n))
				}
				if err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	wg.Wait()
	end := s.get()
	s.waitForRevision(stores[0], end.ResourceVersion) // the last write may have been the other's
	late := newFollower(t)
	stores[0].OnChange(late.take)
	for _, f := range append(followers, late) {
		f.reaches("the map is as it is now", func(now *mapstore.Snapshot) bool { return maps.Equal(contents(now), end.Data) })
	}
	if changes, _, _ := late.state(); changes != 1 {
		t.Errorf("a late subscriber was called %d times, want once", changes)
	}
	last := s.patch(`{"data":{"k1":"end"}}`)
	filtered.reaches("the last write is seen", atLeast(last.ResourceVersion))
}

func TestVersionsWithNothingToTellCallNobody(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"mine": "1", "other": "1"})
	all, mine := newFollower(t), newFollower(t)
	mine.filters = []func(string) bool{func(key string) bool { return key == "mine" }}
	store.OnChange(all.take)
	store.OnChange(mine.take, mapstore.Keys("mine"))
	all.reaches("the map is there", (*mapstore.Snapshot).Exists)
	mine.reaches("the map is there", (*mapstore.Snapshot).Exists)

	labelled := s.patch(`{"metadata":{"labels":{"a":"b"}}}`)
	s.waitForRevision(store, labelled.ResourceVersion)
	s.patch(`{"data":{"other":"2"}}`)
	last := s.patch(`{"data":{"mine":"2"}}`)
	all.reaches("the last write is seen", atLeast(last.ResourceVersion))
	mine.reaches("the last write is seen", atLeast(last.ResourceVersion))
	if changes, _, _ := mine.state(); changes != 2 {
		t.Errorf("%d changes for one key that changed twice", changes)
	}
	if changes, _, _ := all.state(); changes > 3 {
		t.Errorf("%d changes for three versions that change entries", changes)
	}
}

func TestASlowSubscriberCostsOnlyItselfAndMissesOnlyTheMiddle(t *testing.T) {
	s := newSite(t)
	store := s.store()
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	slow, fast := newFollower(t), newFollower(t)
	store.OnChange(func(c mapstore.Change) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-release
		slow.take(c)
	})
	store.OnChange(fast.take)
	s.set(store, "n", "0")
	<-entered
	const versions = 30
	for n := range versions {
		want := strconv.Itoa(n + 1)
		s.set(store, "n", want)
		fast.reaches("n is "+want, func(now *mapstore.Snapshot) bool {
			got, _ := now.Get("n")
			return got == want
		})
	}
	close(release)
	slow.reaches("n is the last", func(now *mapstore.Snapshot) bool {
		got, _ := now.Get("n")
		return got == strconv.Itoa(versions)
	})
	if changes, _, _ := slow.state(); changes != 2 {
		t.Errorf("the slow subscriber was called %d times, want 2", changes)
	}
}

func TestCallbacksMayPanicWriteSubscribeAndClose(t *testing.T) {
	s := newSite(t)
	store := s.store()
	quiet := newFollower(t)
	store.OnChange(quiet.take)
	store.OnChange(func(mapstore.Change) { panic("a bad callback") })
	inner := newFollower(t)
	var once sync.Once
	wrote := make(chan struct{})
	store.OnChange(func(mapstore.Change) {
		once.Do(func() {
			store.OnChange(inner.take)
			if err := store.Set(t.Context(), "from-callback", "1"); err != nil {
				t.Errorf("Set inside a callback: %v", err)
			}
			close(wrote)
		})
	})
	s.set(store, "k", "1")
	written := func(now *mapstore.Snapshot) bool { _, ok := now.Get("from-callback"); return ok }
	quiet.reaches("the callback's write is seen", written)
	inner.reaches("the callback's write is seen", written)
	<-wrote

	closed := make(chan error, 1)
	store.OnChange(func(mapstore.Change) { closed <- store.Close() })
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close inside a callback: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close inside a callback hangs")
	}
}

func TestStopAndCloseEndTheCallbacks(t *testing.T) {
	s := newSite(t)
	store, writer := s.store(), s.store()
	var mu sync.Mutex
	ended := false
	call := func(mapstore.Change) {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			t.Error("a callback ran after the end")
		}
	}
	var stopped *watch.Subscription
	stopped = store.OnChange(func(mapstore.Change) { stopped.Stop() })
	subscriptions := []*watch.Subscription{store.OnChange(call), store.OnChange(call)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			_ = writer.Set(ctx, "n", strconv.Itoa(n))
		}
	})
	s.waitUntil(store, "there is something", func(now *mapstore.Snapshot) bool { return now.Len() > 0 })
	subscriptions[0].Stop()
	subscriptions[1].Stop()
	mu.Lock()
	ended = true
	mu.Unlock()
	s.waitForRevision(store, s.get().ResourceVersion)
	mu.Lock()
	ended = false
	mu.Unlock()
	store.OnChange(call)
	store.Close()
	mu.Lock()
	ended = true
	mu.Unlock()
	cancel()
	wg.Wait()
}

func TestChangesIterates(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "n", "0")
	f := newFollower(t)
	for change := range store.Changes(within(t, 20*time.Second)) {
		f.take(change)
		n, _ := change.New.Get("n")
		if n == "3" {
			break
		}
		s.set(store, "n", strconv.Itoa(sum(n)+1))
	}
	if f.changes != 4 {
		t.Errorf("%d changes for four versions that were waited for", f.changes)
	}
}

// Promise 10, for subscriptions: hundreds that come and go leave nothing.
func TestHundredsOfSubscriptionsComeAndGo(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "n", "0")
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			called := make(chan struct{}, 1)
			sub := store.OnChange(func(mapstore.Change) {
				select {
				case called <- struct{}{}:
				default:
				}
			})
			<-called
			if i%10 == 0 {
				s.set(store, "n", strconv.Itoa(i))
			}
			sub.Stop()
		})
	}
	wg.Wait()
	settles(t, "goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// settles waits until cond holds.
func settles(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s have not settled:\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}
