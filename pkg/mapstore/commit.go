package mapstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/internal/backoff"
	"github.com/unrolled/mapstore/v2/pkg/internal/group"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

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
