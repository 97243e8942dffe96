package mapstore

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A replica is the local copy of the map. Whatever comes from the API server,
// by the watch, as a write's response or by a quorum read, goes through it, and
// it alone decides what is newer. It tells an observer what came by.
type replica struct {
	current *watch.Var[*Snapshot]

	mu       sync.Mutex           // makes comparing with the current version and replacing it one step
	observer func(ledger.Version) // protected by mu; who wants to know of all versions that come by; nil if nobody does
}

func newReplica() *replica {
	return &replica{current: watch.NewVar(&Snapshot{})}
}

func (r *replica) load() *Snapshot { return r.current.Load() }

// install takes a version that was committed after the server had gone back in time
// so often. One that is not newer than the current one is dropped, and so is one from
// before the last time: it may be of a future that no longer exists. Install returns
// the current version.
func (r *replica) install(next *Snapshot, rewinds uint64) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if rewinds != now.rewinds {
		return now
	}
	// What a fake clientset holds has no UID, and keeps the revision that it was
	// made with, if any.
	fake := next.uid == "" && next.revision == now.revision
	if !newer(next.revision, now.revision) && !fake {
		r.tellLocked(now, next)
		return now
	}
	return r.replaceLocked(now, next, false)
}

// confirm takes the answer to a quorum read that was sent when asked was the
// current version. An answer from before asked proves that the server has gone
// back in time, and so does another version of the same revision: the copy
// follows it, as a Reset. Confirm returns the current version; nil if the server has
// gone back in time since asked, so that the answer proves nothing.
func (r *replica) confirm(next, asked *Snapshot) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if asked.rewinds != now.rewinds {
		return nil
	}
	switch {
	case newer(next.revision, now.revision):
		return r.replaceLocked(now, next, false)
	case older(next.revision, asked.revision) && older(next.revision, now.revision), next.revision == now.revision && !next.equal(now):
		return r.replaceLocked(now, next, true)
	}
	r.tellLocked(now, next)
	return now
}

func (r *replica) replaceLocked(now, next *Snapshot, reset bool) *Snapshot {
	if next.uid == "" { // absent: what existed before it still has a name
		next.uid = now.uid
	}
	recreated := now.uid != "" && next.uid != now.uid
	next.sequence, next.resets, next.rewinds, next.committed = now.sequence+1, now.resets, now.rewinds, time.Now()
	// A foreign write is nobody's turn, and nobody knows how old the first version is.
	if now.sequence == 0 || slices.Equal(next.ledger(), now.ledger()) {
		next.committed = now.committed
	}
	if reset || recreated {
		next.resets++
	}
	if reset {
		next.rewinds++
	}
	r.current.Store(next)
	r.tellLocked(next, next)
	return next
}

// observe calls fn with each version that comes by from now on, newer than the
// current one or not, until stop is called. Before the first of them it calls begin
// with the current one. Both run under the replica's lock.
func (r *replica) observe(fn func(ledger.Version), begin func(now *Snapshot)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	begin(r.load())
	r.observer = fn
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.observer = nil
	}
}

// tellLocked tells of a version that came by while now is the current one.
func (r *replica) tellLocked(now, v *Snapshot) {
	if r.observer != nil {
		told := v.version()
		told.Rewinds = now.rewinds
		r.observer(told)
	}
}

// newer reports whether revision a is newer than b. Revisions that cannot be
// compared, such as those of a fake clientset, count as newer: then the order
// of arrival is all there is.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}

func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
