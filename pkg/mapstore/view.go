package mapstore

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A View is something that is made of a store's versions and kept up to date with them:
// an index, a cache, or a Value of package typed. [Store.Attach] begins it, and it ends
// with Detach or with the store. The exported fields must not change after Attach. The
// methods may be called inside See, and from any goroutine once Attach has returned.
type View struct {
	// Name is for people to read. The View's subscription has this name in
	// [Store.Subscriptions].
	Name string

	// See brings the View up to a version of the map. Attach calls it in the
	// caller's goroutine with the current version, which is empty before the first
	// sync. After that, See is called with newer versions, one call at a time, in a
	// goroutine that exists only while there is something to see. Versions that
	// come during a call are skipped, except for the newest. A See that blocks
	// delays only Detach and [Store.Close], which wait for it. Required.
	See func(now *Snapshot)

	// Var holds what See makes. Its subscriptions are listed with the store's, and
	// it is closed when the View ends. Required.
	Var watch.Closer

	store    *Store
	follower *watch.Subscription // protected by the store's views.mu
	rejected []string            // protected by the store's views.mu
	detached bool                // protected by the store's views.mu
}

// Attach begins a View. When Attach returns, See has seen a version that was current
// during the call. If the store is closed, See is called with the last known version and
// not again.
//
// Attach panics when See or Var is nil, and when the View has been attached before.
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
// running or will run. Called from inside See or a callback, it does not wait for its
// own caller; called from inside a callback, it does not wait for other callbacks
// either. Detach may be called more than once.
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

// Reject says what the View cannot use in the version that it saw last. A name is a
// key, or any text in parentheses. [Status].Rejected has the names until the next call
// or the View's end. Each call with names adds one to [Stats].Rejections. A call without
// names says that nothing is rejected any more.
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

// LogPanic logs a panic of one of Var's callbacks as the store logs those of its own,
// and counts it in [Stats].Panics. Pass it to [watch.OnPanic].
func (v *View) LogPanic(recovered any, stack []byte) { v.store.logPanic(recovered, stack) }

// follow calls See with versions that come after the one with the sequence number seen.
// It gets only the number, because nothing may keep the version itself in memory.
func (v *View) follow(seen uint64) *watch.Subscription {
	return v.store.current.Subscribe(func(_, now *Snapshot) {
		if now.sequence > seen {
			v.See(now)
		}
	}, watch.OnPanic(v.LogPanic), watch.Named(v.Name))
}

// views are the Views that are attached to a store.
type views struct {
	rejections atomic.Uint64

	mu       sync.Mutex // protects all below, and the fields of each View that say so
	attached map[*View]struct{}
	closed   bool
}

// add attaches v, which has seen a version, unless the store is closed.
func (vs *views) add(v *View, seen uint64) bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.closed || v.detached { // the latter by its first See
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
	v.detached = true
}

// subscriptions returns the subscriptions of all Vars.
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
