package mapstore

import (
	"context"
	"errors"
	"fmt"
)

// A transaction is one call of Update on its way through the committer. The
// committer decides when fn runs and on what, but it runs in its caller's
// goroutine: so a panic, or the end of that goroutine, is the caller's alone.
type transaction struct {
	fn      func(*Tx) error
	turn    chan *Tx     // from the committer: run fn on this
	ran     chan error   // to the committer: what fn returned
	outcome chan outcome // from the committer: the end

	// Protected by the committer's mutex.
	batch *batch // the one that it is in since its turn has come; nil while it queues
	gone  bool   // the caller has stopped waiting
	alone bool   // it must not share a request any more
	rank  int    // those of a higher one are first
	why   error  // what kept the last attempt from being applied
}

type outcome struct {
	snapshot *Snapshot
	err      error
}

// errGone is what the committer gets in place of fn's result when fn did not
// return: the caller has given up, panicked, or ended its goroutine.
var errGone = errors.New("mapstore: the transaction's caller is gone")

func newTransaction(fn func(*Tx) error) *transaction {
	// Each channel has room for its one message, so that neither side can
	// hold up the other.
	return &transaction{fn: fn, turn: make(chan *Tx, 1), ran: make(chan error, 1), outcome: make(chan outcome, 1)}
}

// isAwaited reports whether the caller still waits.
func (t *transaction) isAwaited() bool { return !t.gone }

// await runs fn whenever it is its turn, until there is an outcome or ctx ends.
func (t *transaction) await(ctx context.Context, c *committer) (*Snapshot, error) {
	for {
		select {
		case tx := <-t.turn:
			t.run(tx)
		case end := <-t.outcome:
			return end.snapshot, end.err
		case <-ctx.Done():
			return t.giveUp(ctx, c)
		}
	}
}

func (t *transaction) run(tx *Tx) {
	err := errGone
	defer func() { t.ran <- err }()
	err = t.fn(tx)
}

// giveUp ends a transaction whose ctx has ended, and says where that leaves it.
func (t *transaction) giveUp(ctx context.Context, c *committer) (*Snapshot, error) {
	sent, why := c.leave(t)
	select {
	case end := <-t.outcome: // it came at the same moment, and says more
		return end.snapshot, end.err
	case <-t.turn:
		t.ran <- errGone
		sent = false
	default:
	}
	switch {
	case sent:
		return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	case why != nil:
		return nil, fmt.Errorf("mapstore: not applied: %w: %w", ctx.Err(), why)
	default:
		return nil, fmt.Errorf("mapstore: not applied: %w", ctx.Err())
	}
}
