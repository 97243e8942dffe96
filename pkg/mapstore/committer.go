package mapstore

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/internal/backoff"
	"github.com/unrolled/mapstore/v2/pkg/internal/group"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// A committer turns transactions into guarded Updates, one at a time. While one
// request is in flight, transactions queue; the next request carries them all. A
// transaction whose attempt was not applied runs again, on a newer version.
type committer struct {
	remote  *remote.Map
	feed    *feed
	local   *replica
	options Options
	begin   func() // begins run with the first transaction; does nothing if run runs anyway
	group   *group.Group[*Tx, *Snapshot]

	// Used by run only.
	turns    *turns
	evidence ledger.Evidence
	retry    *backoff.Backoff
	denied   time.Time // since when writes have been denied; zero while they are not

	trouble atomic.Pointer[trouble] // nil after a commit. What is wrong with one write is not here
	failure atomic.Pointer[Failure] // the last one; nil if there was none

	// For Stats.
	requests, commits, conflicts, unsigned   atomic.Uint64
	requestTime                              atomic.Int64 // nanoseconds
	transactions, unknown, aborted, failures atomic.Uint64
}

func newCommitter(remote *remote.Map, feed *feed, local *replica, options Options) *committer {
	c := &committer{
		remote: remote, feed: feed, local: local, options: options,
		group: group.New[*Tx, *Snapshot](),
		turns: newTurns(remote, local),
		retry: backoff.New(options.MaxBackoff),
		begin: func() {},
	}
	c.turns.inTrouble = c.inTrouble
	return c
}

// count adds a write's outcome to the Stats.
func (c *committer) count(outcome group.Outcome[*Snapshot], err error) {
	switch {
	case outcome.Own:
		c.aborted.Add(1)
	case err == nil:
		c.transactions.Add(1)
	case errors.Is(err, ErrUnknownOutcome):
		c.unknown.Add(1)
		c.failure.Store(&Failure{time.Now(), err})
	default:
		c.failures.Add(1)
		c.failure.Store(&Failure{time.Now(), err})
	}
}

// A trouble is why writes do not succeed.
type trouble struct {
	since time.Time
	err   error
}

// inTrouble notes what an attempt to write has met, unless err is nil.
func (c *committer) inTrouble(err error) {
	if err == nil || errors.Is(err, ErrClosed) {
		return
	}
	next := &trouble{time.Now(), err}
	if before := c.trouble.Load(); before != nil {
		next.since = before.since
	}
	c.trouble.Store(next)
}

// absence returns the error of a map that must exist and does not.
func (c *committer) absence() error {
	return fmt.Errorf("mapstore: Options.MustExist is set: %w", apierrors.NewNotFound(corev1.Resource("configmaps"), c.remote.Namespace()+"/"+c.remote.Name()))
}

// learn keeps what a commit has shown about whether ids arrive.
func (c *committer) learn(e ledger.Evidence) {
	if e == ledger.Unproven {
		return
	}
	c.evidence = e
	if e == ledger.Stripped && c.unsigned.Add(1) == 1 {
		c.options.Logger.Error(nil, "The API server does not keep the ledger", "annotation", ledger.Annotation)
	}
}

// countRequest notes that a request that writes is being sent. The caller must call
// answered when the request has ended; answered returns how long it took.
func (c *committer) countRequest() (answered func(remote.Fate) time.Duration) {
	asked := time.Now()
	c.requests.Add(1)
	return func(fate remote.Fate) time.Duration {
		took := time.Since(asked)
		c.requestTime.Add(int64(took))
		if fate == remote.Conflict {
			c.conflicts.Add(1)
		}
		return took
	}
}

// rejection returns a write's error for a request that was rejected.
func rejection(err error) error {
	if remote.IsTooLarge(err) {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", errNotApplied, err)
}
