package mapstore

import (
	"slices"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A replica is the local copy of the map. All versions that come from the API server, by
// the watch, in the answer to a write or by a quorum read, go through it, and it alone
// decides what is newer. It tells an observer of each version that arrives.
type replica struct {
	current *watch.Var[*Snapshot]

	mu       sync.Mutex           // makes comparing with the current version and replacing it one step
	observer func(ledger.Version) // protected by mu; told of each version that arrives; nil if there is none
	replaced func(now *Snapshot)  // protected by mu; told of each version that becomes current; nil if nobody asks
	resets   uint64               // of what was there before the first version
}

// nothing is what every replica has at first. A family has many of them.
var nothing = &Snapshot{}

func newReplica() *replica {
	return &replica{current: watch.NewVar(nothing)}
}

// begin makes the replica go on after a version, if there is one, else after so many resets
// of what nobody remembers. It then calls replaced with each version that becomes current.
func (r *replica) begin(resets uint64, now *Snapshot, replaced func(now *Snapshot)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resets, r.replaced = resets, replaced
	switch {
	case now != nil && now.sequence > 0:
		r.resets = now.resets
		r.current.Store(now)
	case resets > 0:
		r.current = watch.NewVar(&Snapshot{resets: resets})
	}
}

// leave ends what begin has begun, and returns the version that is current then.
func (r *replica) leave() *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced = nil
	return r.load()
}

func (r *replica) load() *Snapshot { return r.current.Load() }

// install makes next the current version if it is newer, and returns the current
// version. The argument rewinds says how often the server had gone back in time when
// next was committed. If it has done so since, next is dropped too: it may belong to a
// future that no longer exists.
func (r *replica) install(next *Snapshot, rewinds uint64) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if rewinds != now.rewinds {
		return now
	}
	// An object of a fake clientset has no UID, and its revision never changes.
	fake := next.uid == "" && next.revision == now.revision
	if !remote.Newer(next.revision, now.revision) && !fake {
		r.tellLocked(now, next)
		return now
	}
	return r.replaceLocked(now, next, false)
}

// confirm takes the answer to a quorum read that was sent when asked was the current
// version. If the answer is older than asked, or differs from the current version at the
// same revision, the server has gone back in time: the copy follows it, as a Reset.
// Confirm returns the current version. It returns nil if another rewind was noticed
// since asked, so that the answer proves nothing.
func (r *replica) confirm(next, asked *Snapshot) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if asked.rewinds != now.rewinds {
		return nil
	}
	if now.isRestored() { // nobody has confirmed it, so that any answer replaces it
		asked = now
	}
	switch {
	case remote.Newer(next.revision, now.revision):
		return r.replaceLocked(now, next, false)
	case remote.Older(next.revision, asked.revision) && remote.Older(next.revision, now.revision), next.revision == now.revision && !next.equal(now):
		return r.replaceLocked(now, next, true)
	case now.isRestored(): // the same version, but whole, as a write needs it
		return r.replaceLocked(now, next, false)
	}
	r.tellLocked(now, next)
	return now
}

// restore makes next, which comes from a backup, the first version, unless the server has
// been faster.
func (r *replica) restore(next *Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.load(); now.sequence == 0 {
		r.replaceLocked(now, next, false)
	}
}

func (r *replica) replaceLocked(now, next *Snapshot, reset bool) *Snapshot {
	if next.uid == "" { // an absent map keeps the UID of the object that was deleted
		next.uid = now.uid
	}
	recreated := now.uid != "" && next.uid != now.uid
	next.sequence, next.resets, next.rewinds, next.committed = now.sequence+1, now.resets, now.rewinds, time.Now()
	before, after := now.ledger(), next.ledger()
	next.putBack = after.IsPutBack(before) || now.putBack && after.Head() == before.Head()
	// A write that leaves the ledger unchanged is no store's commit, and the age of the
	// first version that comes from the server is unknown.
	if now.sequence == 0 || now.isRestored() || slices.Equal(after, before) {
		next.committed = now.committed
	}
	if next.held = time.Now(); now.sequence == 0 || next.hold() == now.hold() {
		next.held = now.held
	}
	if reset || recreated {
		next.resets++
	}
	if reset {
		next.rewinds++
	}
	r.current.Store(next)
	if r.replaced != nil {
		r.replaced(next)
	}
	r.tellLocked(next, next)
	return next
}

// observe calls begin with the current version, and then fn with each version that
// arrives, newer than the current one or not, until stop is called. Both run under the
// replica's lock.
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

// tellLocked tells the observer of v, a version that arrived while now is the current one.
func (r *replica) tellLocked(now, v *Snapshot) {
	if r.observer != nil {
		told := v.version()
		told.Rewinds = now.rewinds
		r.observer(told)
	}
}
