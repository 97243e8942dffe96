package mapstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/unrolled/mapstore/v2/pkg/internal/panics"
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
	// come during a call are skipped, except for the newest. Required.
	//
	// Reads and writes that return a version, and callbacks that are told of one,
	// wait until See has seen it: see [Store.Attach]. A See that takes longer than a
	// second delays only Detach and [Store.Close] after that, which wait for it.
	See func(now *Snapshot)

	// Var holds what See makes. Its subscriptions are listed with the store's, and
	// it is closed when the View ends. Required.
	Var watch.Closer

	views    *views               // of the store; nil before Attach
	progress *watch.Var[progress] // set when attached
	follower *watch.Subscription  // protected by views.mu
	rejected map[string]string    // reasons by name; protected by views.mu
	missing  []string             // protected by views.mu
	detached bool                 // protected by views.mu
}

// Detach ends the View: once it has returned, neither See nor a callback of Var is
// running or will run. Called from inside See or a callback, it does not wait for its
// own caller; called from inside a callback, it does not wait for other callbacks
// either. Detach may be called more than once.
func (v *View) Detach() {
	if v.views == nil {
		return
	}
	if follower := v.views.followerOf(v); follower != nil {
		follower.Stop()
	}
	v.Var.Close()
	v.views.remove(v) // last: until then, the store's Close waits for the callbacks, too
}

// Reject says what the View cannot use in the version that it saw last, and why: a reason
// for each name, which is a key or any text in parentheses. A reason is shown to people and
// must quote no value. [Status] has the names and the reasons until the next call or the
// View's end. Each call with names adds one to [Stats].Rejections. A call with none says
// that nothing is rejected any more.
func (v *View) Reject(reasons map[string]string) {
	if len(reasons) > 0 {
		v.views.rejections.Add(1)
	}
	v.views.mu.Lock()
	defer v.views.mu.Unlock()
	v.rejected = maps.Clone(reasons)
}

// Require says which names the View cannot do without, and has nothing for in the version
// that it saw last. Until the next call or the View's end, [Store.WaitForSync],
// [Store.Check] and [Status].Err return [ErrMissing], with the names. A call without
// names says that nothing is missing any more.
func (v *View) Require(names ...string) {
	v.views.mu.Lock()
	defer v.views.mu.Unlock()
	v.missing = names
}

// Logger returns the store's logger, with the namespace and the name of the
// ConfigMap.
func (v *View) Logger() logr.Logger { return v.views.callbacks.logger }

// LogPanic logs a panic of one of Var's callbacks as the store logs those of its own,
// and counts it in [Stats].Panics. Pass it to [watch.OnPanic].
func (v *View) LogPanic(recovered any, stack []byte) { v.views.callbacks.logPanic(recovered, stack) }

// Settle blocks until all Views of the store have seen the version that is current now,
// as reads and writes do: see [Store.Attach]. It is for what Var's callbacks and waiters
// promise of other Views. It must not be called inside See, which would wait for itself.
//
// Settle returns false if the store is closed before that.
func (v *View) Settle(ctx context.Context) bool {
	return v.views.settle(ctx, v.views.current.Load())
}

// A progress is how far a View has come.
type progress struct {
	seen  uint64    // the sequence number of the newest version of which See has returned
	begun time.Time // when the call of See that is running began; zero if none is
}

// follow calls See with versions that come after the one with the sequence number seen.
// It gets only the number, because nothing may keep the version itself in memory.
func (v *View) follow(seen uint64) *watch.Subscription {
	return v.views.current.Subscribe(func(_, now *Snapshot) {
		if now.sequence <= seen {
			return
		}
		v.progress.Store(progress{seen: v.progress.Load().seen, begun: time.Now()})
		defer v.progress.Store(progress{seen: now.sequence}) // even if See panics
		v.See(now)
	}, watch.OnPanic(v.LogPanic), watch.Named(v.Name))
}

// patience is how long one call of See may hold up others.
const patience = time.Second

// await blocks until the View has seen a version, or its See has taken longer than
// patience, or ctx or the View has ended; that it returns as an error.
func (v *View) await(ctx context.Context, sequence uint64) error {
	for now := v.progress.Load(); now.seen < sequence; now = v.progress.Load() {
		left := patience
		if !now.begun.IsZero() {
			left -= time.Since(now.begun)
		}
		soon, cancel := context.WithTimeout(ctx, left)
		_, err := v.progress.Wait(soon, func(next progress) bool { return next != now })
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// views are the Views that are attached to a store.
type views struct {
	current    *watch.Var[*Snapshot] // the store's versions
	callbacks  callbacks
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
	v.progress = watch.NewVar(progress{seen: seen})
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
	if v.progress != nil {
		v.progress.Close()
	}
}

// settle waits until each View has seen the version, as [Store.Attach] says. It returns
// false if the store is closed before that.
func (vs *views) settle(ctx context.Context, now *Snapshot) bool {
	for _, v := range vs.behind(now.sequence) {
		if err := v.await(ctx, now.sequence); errors.Is(err, watch.ErrClosed) && vs.isClosed() {
			return false
		}
	}
	return true
}

func (vs *views) isClosed() bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return vs.closed
}

// behind returns the Views that have not seen a version yet.
func (vs *views) behind(sequence uint64) []*View {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var behind []*View
	for v := range vs.attached {
		if v.progress.Load().seen < sequence {
			behind = append(behind, v)
		}
	}
	return behind
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

// rejected returns why the views reject what they do, by name; nil if they do not.
func (vs *views) rejected() map[string]string {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var all map[string][]string
	for v := range vs.attached {
		for name, reason := range v.rejected {
			if all == nil {
				all = make(map[string][]string)
			}
			all[name] = append(all[name], reason)
		}
	}
	if all == nil {
		return nil
	}
	reasons := make(map[string]string, len(all))
	for name, why := range all {
		slices.Sort(why)
		reasons[name] = strings.Join(slices.Compact(why), "; ")
	}
	return reasons
}

// lack returns an error that names what the views cannot do without; nil if there is
// nothing.
func (vs *views) lack() error {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var missing []string
	for v := range vs.attached {
		missing = append(missing, v.missing...)
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("%w: %s", ErrMissing, strings.Join(slices.Compact(missing), ", "))
}

// close ends all views together with the store's own Var.
func (vs *views) close(own watch.Closer) {
	vs.mu.Lock()
	vs.closed = true
	all := []watch.Closer{own}
	for v := range vs.attached {
		all = append(all, v.Var, v.progress)
	}
	vs.mu.Unlock()
	watch.CloseAll(all...) // without the lock: it waits for callbacks, which may attach and detach
}

// callbacks are what is noted of functions that were given to a store or a family.
type callbacks struct {
	logger logr.Logger
	panics atomic.Uint64
}

func (c *callbacks) logPanic(recovered any, stack []byte) {
	c.panics.Add(1)
	c.logger.Error(nil, "A change callback panicked", "panic", panics.Describe(recovered), "stack", panics.Trace(stack))
}
