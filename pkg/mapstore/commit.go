package mapstore

import (
	"context"
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
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
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

// do runs fn as a transaction, and returns when it has an outcome or ctx ends.
func (c *committer) do(ctx context.Context, fn func(*Tx) error) (*Snapshot, error) {
	if _, limited := ctx.Deadline(); !limited {
		limited, cancel := context.WithTimeout(ctx, c.options.WriteTimeout)
		defer cancel()
		ctx = limited
	}
	outcome := group.Outcome[*Snapshot]{Own: true} // what count gets if fn panics
	var err error
	defer func() { c.count(outcome, err) }()
	if err := ctx.Err(); err != nil {
		outcome = group.Outcome[*Snapshot]{}
		return nil, fmt.Errorf("mapstore: not applied: %w", err)
	}
	c.begin()
	outcome = c.group.Do(ctx, fn)
	if err = outcome.Err; outcome.Left {
		err = c.leaveError(outcome)
	}
	return outcome.Result, err
}

// leaveError returns the error of a write whose ctx has ended.
func (c *committer) leaveError(outcome group.Outcome[*Snapshot]) error {
	what, why := errNotApplied, outcome.Last
	if outcome.InFlight {
		what = ErrUnknownOutcome
	}
	if t := c.trouble.Load(); why == nil && t != nil { // the write had no attempt of its own
		why = t.err
	}
	waits := c.remote.WaitsFor(true)
	if !outcome.InFlight { // it is what no write gets past
		c.inTrouble(waits)
	}
	if waits == nil && why == nil {
		waits = c.feed.source.Obstacle(c.feed.source.Link.Load())
	}
	if met := c.turns.met.Load(); met != nil {
		what = fmt.Errorf("%w: %v", what, met)
	}
	if why = remote.FollowedBy(why, waits); why == nil {
		return fmt.Errorf("%w: %w", what, outcome.Err)
	}
	return fmt.Errorf("%w: %w: %w", what, outcome.Err, why)
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

// run commits until ctx is done.
func (c *committer) run(ctx context.Context) {
	defer c.close()
	if !c.awaitSync(ctx) {
		return
	}
	closing, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { stop(errClosedBefore) })()
	for c.group.Wait(ctx, c.turns.Slot.Mean()/4, c.retry.Next) {
		if c.turns.await(ctx) != nil {
			return
		}
		if wait := c.commit(closing); wait && c.retry.Wait(ctx) != nil {
			return
		}
	}
}

// close ends waiting transactions and refuses new ones.
func (c *committer) close() { c.group.Close(errClosedBefore) }

// awaitSync blocks until the first sync. Until then transactions wait. If the server
// denies access, they end with what it says.
func (c *committer) awaitSync(ctx context.Context) bool {
	for asked := (time.Time{}); ; asked = time.Now() {
		l, err := c.feed.source.Link.Wait(ctx, func(l source.Link) bool { return l.Synced || l.IsDenial(asked) })
		if err != nil || l.Synced {
			return err == nil
		}
		c.group.Refuse(rejection(l.Err))
		if !c.group.Wait(ctx, 0, nil) {
			return false
		}
	}
}

// commit makes one attempt for the transactions that wait. It reports whether the next
// attempt must wait for a while.
func (c *committer) commit(ctx context.Context) (wait bool) {
	commit, began := c.newCommit(), time.Now()
	defer commit.release()
	batch, attempt := c.group.Collect(ctx, commit.draft)
	c.turns.Ran(time.Since(began))
	members := batch.Len()
	if members == 0 {
		batch.Cancel()
		c.turns.end()
		return false
	}
	var outcome ledger.Outcome
	if draft := commit.draft; !draft.base.Exists() {
		stop := context.AfterFunc(ctx, batch.Cancel)
		switch {
		case len(draft.data) == 0:
			outcome = c.confirmAbsent(attempt)
		case c.options.MustExist:
			outcome = ledger.Outcome{Kind: ledger.Refused, Err: c.absence()}
		default:
			outcome = c.create(attempt, draft.base)
		}
		stop()
	} else {
		outcome = commit.resolve(ctx, attempt, batch)
	}
	c.learn(outcome.Evidence)
	switch outcome.Kind {
	case ledger.Superseded:
		c.turns.lost(commit.draft.base)
	case ledger.Unavailable:
	default:
		c.turns.end()
	}
	c.group.Expect(members)
	if outcome.Kind == ledger.Refused && !c.isFinal(outcome.Err) {
		outcome.Kind = ledger.Unavailable
	}
	switch {
	case outcome.Kind == ledger.Committed:
		c.retry = backoff.New(c.options.MaxBackoff)
		c.denied = time.Time{}
		c.trouble.Store(nil)
	case outcome.Kind == ledger.Unavailable, remote.IsDenied(outcome.Err):
		c.inTrouble(outcome.Err)
	}
	c.feed.source.Met(outcome.Err)
	if outcome.Err != nil && !errors.Is(outcome.Err, remote.ErrWithheld) {
		batch.Note(outcome.Err)
	}
	switch {
	case outcome.Kind == ledger.Committed:
		c.commits.Add(1)
		now := commit.acknowledged
		if now == nil {
			now = c.local.load()
		}
		batch.Finish(now, nil)
	case outcome.Kind == ledger.Unknown:
		batch.Finish(nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, outcome.Err))
	case ctx.Err() != nil:
		batch.Finish(nil, errClosedBefore)
	case outcome.Kind == ledger.Refused && members == 1:
		batch.Finish(nil, rejection(outcome.Err))
	case outcome.Kind == ledger.Refused:
		batch.Retry(group.Alone)
	case outcome.Kind == ledger.Uncompleted:
		batch.Retry(group.HeldBack)
	default:
		batch.Retry(group.Together)
	}
	return outcome.Kind == ledger.Unavailable
}

// isFinal reports whether a denial is the server's last word. A token that has just
// been replaced is refused once, and so is everybody by a server that has just been
// started: then the write is tried again, for as long as reads would be.
func (c *committer) isFinal(err error) bool {
	if !remote.IsDenied(err) {
		c.denied = time.Time{}
		return true
	}
	if c.denied.IsZero() {
		c.denied = time.Now()
	}
	passing := apierrors.IsUnauthorized(err) || !c.feed.source.Link.Load().IsSettled()
	if passing && time.Since(c.denied) < source.DenialGrace {
		return false
	}
	c.denied = time.Time{} // the next one may pass again
	return true
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
