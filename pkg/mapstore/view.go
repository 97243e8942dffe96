package mapstore

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A View is something made of the versions of a store and kept up with them: an
// index, a cache, or a Value of package typed. [Store.Attach] begins it, and it
// ends with Detach or with the store. The exported fields must not change once it
// has begun. The methods may be called inside See and once Attach has returned,
// from any goroutine.
type View struct {
	// Name is for people: it is the name of the View's subscription among
	// [Store.Subscriptions].
	Name string

	// See brings the View up to a version of the map. Attach calls it in the
	// caller's goroutine with the current version, which before the first sync is
	// empty. From then on it is called with newer ones, one call at a time, in a
	// goroutine that exists only while there is something to see. Versions that
	// come during a call are skipped, except for the newest. A See that blocks
	// delays nobody but Detach and [Store.Close], which wait for it. Required.
	See func(now *Snapshot)

	// Var holds what See makes. Its subscriptions are listed with those of the
	// store, and it is closed when the View ends. Required.
	Var watch.Closer

	store    *Store
	follower *watch.Subscription // protected by the store's views.mu
	rejected []string            // protected by the store's views.mu
}

// Attach begins a View. When Attach returns, See has seen a version that was
// current during the call. Attached to a store that is closed, a View sees the
// last known version, and that is all.
//
// Attach panics when See or Var is nil, and when the View has been attached
// before.
func (s *Store) Attach(v *View) {
	if v.See == nil || v.Var == nil || v.store != nil {
		panic("mapstore: Attach of a View without See or Var, or for the second time")
	}
	v.store = s
	now := s.Snapshot()
	v.See(now)
	if !s.views.add(v, now.sequence) {
		v.Var.Close()
	}
}

// Detach ends the View: once it has returned, neither See nor a callback of Var is
// running or will run. Called from inside one of these, it does not wait for its
// own caller, nor, from a callback, for other callbacks. Detach may be called
// more than once.
func (v *View) Detach() {
	if v.store == nil {
		return
	}
	if follower := v.store.views.followerOf(v); follower != nil {
		follower.Stop()
	}
	v.Var.Close()
	v.store.views.remove(v) // last: until then, the store's Close waits for the callbacks, too
}

// Reject says what the View cannot use in the version that it saw last: the names
// are the keys, or anything in parentheses. [Status].Rejected has them until the
// next call or the View's end. Each call with names adds one to
// [Stats].Rejections. A call without names says that all is well.
func (v *View) Reject(names ...string) {
	if len(names) > 0 {
		v.store.views.rejections.Add(1)
	}
	v.store.views.mu.Lock()
	defer v.store.views.mu.Unlock()
	v.rejected = names
}

// Logger returns the store's logger, with the namespace and the name of the
// ConfigMap.
func (v *View) Logger() logr.Logger { return v.store.options.Logger }

// LogPanic logs a panic of a callback of Var as the store does for its own, and
// counts it in [Stats].Panics. It is for [watch.OnPanic].
func (v *View) LogPanic(recovered any, stack []byte) { v.store.logPanic(recovered, stack) }

// follow lets See see what comes after a version, of which it gets the sequence
// number only: nothing may keep the version itself alive.
func (v *View) follow(seen uint64) *watch.Subscription {
	return v.store.current.Subscribe(func(_, now *Snapshot) {
		if now.sequence > seen {
			v.See(now)
		}
	}, watch.OnPanic(v.LogPanic), watch.Named(v.Name))
}

// views is what is attached to a store.
type views struct {
	rejections atomic.Uint64

	mu       sync.Mutex // protects all below, and what the View says
	attached map[*View]struct{}
	closed   bool
}

// add attaches v, which has seen a version, unless the store is closed.
func (vs *views) add(v *View, seen uint64) bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.closed {
		return false
	}
	if vs.attached == nil {
		vs.attached = make(map[*View]struct{})
	}
	vs.attached[v] = struct{}{}
	v.follower = v.follow(seen)
	return true
}

func (vs *views) followerOf(v *View) *watch.Subscription {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return v.follower
}

func (vs *views) remove(v *View) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	delete(vs.attached, v)
}

// subscriptions returns those of all Vars.
func (vs *views) subscriptions() []*watch.Subscription {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var all []*watch.Subscription
	for v := range vs.attached {
		all = append(all, v.Var.Subscriptions()...)
	}
	return all
}

// rejected returns what the views reject, sorted.
func (vs *views) rejected() []string {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var all []string
	for v := range vs.attached {
		all = append(all, v.rejected...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// close ends all views together with the store's own Var.
func (vs *views) close(own watch.Closer) {
	vs.mu.Lock()
	vs.closed = true
	all := []watch.Closer{own}
	for v := range vs.attached {
		all = append(all, v.Var)
	}
	vs.mu.Unlock()
	watch.CloseAll(all...) // without the lock: it waits for callbacks, which may attach and detach
}
