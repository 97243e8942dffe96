package e2e

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A listener collects the changes that a subscription brings, for the state
// machine to check them in its own goroutine: only there can rapid see that
// something fails. It wants of each what a follower wants.
type listener struct {
	filter       string
	passes       func(key string) bool
	subscription *watch.Subscription

	last   *mapstore.Snapshot // the last Change's New
	folded map[string]string

	callback sync.Mutex // held by the callback that runs
	mu       sync.Mutex // protects all below
	arrived  []mapstore.Change
	overlap  bool

	ended atomic.Bool
	late  *atomic.Bool // the machine's: a callback ran after its subscription's end
}

var filters = map[string]struct {
	filters []mapstore.Filter
	passes  func(key string) bool
}{
	"all":                 {nil, func(string) bool { return true }},
	"Prefix(x.)":          {[]mapstore.Filter{mapstore.Prefix("x.")}, func(key string) bool { return strings.HasPrefix(key, "x.") }},
	"Keys(a,x.1)":         {[]mapstore.Filter{mapstore.Keys("a", "x.1")}, func(key string) bool { return key == "a" || key == "x.1" }},
	"Keys(b), Prefix(x.)": {[]mapstore.Filter{mapstore.Keys("b"), mapstore.Prefix("x.")}, func(key string) bool { return key == "b" || strings.HasPrefix(key, "x.") }},
	"Keys()":              {[]mapstore.Filter{mapstore.Keys()}, func(string) bool { return false }},
}

func (m *machine) subscribe(t *rapid.T) {
	u := m.user(t)
	filter := rapid.SampledFrom(slices.Sorted(maps.Keys(filters))).Draw(t, "filter")
	l := &listener{filter: filter, passes: filters[filter].passes, folded: map[string]string{}, late: &m.late}
	l.subscription = u.OnChange(l.take, filters[filter].filters...)
	u.listeners = append(u.listeners, l)
}

func (m *machine) unsubscribe(t *rapid.T) {
	u := m.user(t)
	if len(u.listeners) == 0 {
		t.Skip("there is no subscription")
	}
	i := rapid.IntRange(0, len(u.listeners)-1).Draw(t, "subscription")
	u.listeners[i].subscription.Stop()
	u.listeners[i].ends(t)
	u.listeners = slices.Delete(u.listeners, i, i+1)
}

func (l *listener) take(c mapstore.Change) {
	if l.ended.Load() {
		l.late.Store(true) // to panic would help nobody: the store takes care of that
	}
	alone := l.callback.TryLock()
	if alone {
		defer l.callback.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = append(l.arrived, c)
	l.overlap = l.overlap || !alone
}

// check folds what has arrived since the last time.
func (l *listener) check(t *rapid.T) {
	l.mu.Lock()
	arrived, overlap := l.arrived, l.overlap
	l.arrived = nil
	l.mu.Unlock()
	if overlap {
		t.Fatalf("%s: two callbacks at a time", l.filter)
	}
	for _, c := range arrived {
		l.fold(t, c)
	}
}

func (l *listener) fold(t *rapid.T, c mapstore.Change) {
	first := l.last == nil
	if first && (c.Old.Exists() || c.Old.Len() > 0) || !first && c.Old != l.last {
		t.Fatalf("%s: a Change starts at revision %q, which is not where the one before ended", l.filter, c.Old.Revision())
	}
	if want := !first && c.Old.UID() != c.New.UID(); c.Reset != want {
		t.Fatalf("%s: Reset is %v from UID %s to %s", l.filter, c.Reset, c.Old.UID(), c.New.UID())
	}
	if !first && !isNewer(c.New.Revision(), c.Old.Revision()) {
		t.Fatalf("%s: revision %s after %s", l.filter, c.New.Revision(), c.Old.Revision())
	}
	if len(c.Keys()) == 0 && !c.Reset || !slices.IsSorted(c.Keys()) {
		t.Fatalf("%s: a Change of the keys %v, Reset %v", l.filter, c.Keys(), c.Reset)
	}
	for key, delta := range c.Deltas() {
		if old, had := l.folded[key]; had == (delta.Op == mapstore.Added) || old != delta.Old || !l.passes(key) {
			t.Fatalf("%s: %s is %+v, it was %q, %v", l.filter, key, delta, old, had)
		}
		if delta.Op == mapstore.Removed {
			delete(l.folded, key)
		} else {
			l.folded[key] = delta.New
		}
	}
	if want := l.of(c.New); !maps.Equal(l.folded, want) {
		t.Fatalf("%s: the deltas fold to %q, want %q", l.filter, l.folded, want)
	}
	l.last = c.New
}

// of returns what the filter lets through of a version.
func (l *listener) of(s *mapstore.Snapshot) map[string]string {
	data := contents(s)
	maps.DeleteFunc(data, func(key, _ string) bool { return !l.passes(key) })
	return data
}

// reaches waits until the listener has been told all there is to tell of s: the
// entries and, if it has been told of an earlier object, which one this is.
func (l *listener) reaches(t *rapid.T, s *mapstore.Snapshot) {
	want := l.of(s)
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(100 * time.Microsecond) { // polls
		l.check(t)
		if maps.Equal(l.folded, want) && (l.last == nil || l.last.UID() == s.UID()) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: the deltas still fold to %q, want %q", l.filter, l.folded, want)
		}
	}
}

// ends checks that after the subscription's end nothing comes.
func (l *listener) ends(t *rapid.T) {
	l.check(t)
	if !l.callback.TryLock() {
		t.Fatalf("%s: the callback runs on after the end", l.filter)
	}
	l.callback.Unlock()
	l.ended.Store(true)
}
