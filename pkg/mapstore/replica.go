package mapstore

import (
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A replica is the local copy of the map. Whatever comes from the API server,
// by the watch, as a write's response or by a quorum read, goes through it, and
// it alone decides what is newer.
type replica struct {
	logger  logr.Logger
	current *watch.Var[*Snapshot]

	mu    sync.Mutex // makes comparing with the current version and replacing it one step
	claim *claim     // protected by mu; what is to be learnt of the versions that come; nil if nothing is
}

func newReplica(logger logr.Logger) *replica {
	return &replica{logger: logger, current: watch.NewVar(&Snapshot{})}
}

func (r *replica) load() *Snapshot { return r.current.Load() }

// install takes a version that was committed at some time of an era, which
// began before the server was asked for it. One that is not newer than the
// current one is dropped, and so is one of an era that is over: it may be of a
// future that no longer exists. Install returns the current version.
func (r *replica) install(next *Snapshot, era uint64) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if era != now.era {
		return now
	}
	r.claim.witness(next)
	// What a fake clientset holds has no UID, and keeps the revision that it was
	// made with, if any.
	fake := next.uid == "" && next.revision == now.revision
	if !newer(next.revision, now.revision) && !fake {
		return now
	}
	return r.replaceLocked(now, next, false)
}

// confirm takes the answer to a quorum read that was sent when asked was the
// current version. An answer from before asked proves that the server has gone
// back in time, and so does another version of the same revision: the copy
// follows it, as a Reset. Confirm returns the current version; nil if the era of
// asked is over, so that the answer proves nothing.
func (r *replica) confirm(next, asked *Snapshot) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.load()
	if asked.era != now.era {
		return nil
	}
	r.claim.witness(next)
	switch {
	case newer(next.revision, now.revision):
		return r.replaceLocked(now, next, false)
	case older(next.revision, asked.revision) && older(next.revision, now.revision), next.revision == now.revision && !next.equal(now):
		r.logger.Info("The API server has gone back in time; following it", "from", now.revision, "to", next.revision)
		return r.replaceLocked(now, next, true)
	}
	return now
}

func (r *replica) replaceLocked(now, next *Snapshot, reset bool) *Snapshot {
	if next.uid == "" { // absent: what existed before it still has a name
		next.uid = now.uid
	}
	recreated := now.uid != "" && next.uid != now.uid
	next.serial, next.epoch, next.era, next.committed = now.serial+1, now.epoch, now.era, time.Now()
	// A foreign write is nobody's turn, and nobody knows how old the first version is.
	if now.serial == 0 || slices.Equal(next.ledger(), now.ledger()) {
		next.committed = now.committed
	}
	if reset || recreated || now.serial == 0 {
		next.epoch++
	}
	if reset {
		next.era++
	}
	r.current.Store(next)
	return next
}

// expect lets the versions that come from now on tell what becomes of a commit.
// It ends with forget.
func (r *replica) expect(c *claim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claim = c
}

func (r *replica) forget() { r.expect(nil) }

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
