package mapstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A transaction is one call of Update on its way through the committer. The
// committer decides when fn runs and on what, but it runs in its caller's
// goroutine: so a panic, or the end of that goroutine, is the caller's alone.
type transaction struct {
	fn    func(*Tx) error
	inbox chan message // from the committer
	ran   chan error   // to the committer: what fn returned
	own   error        // what fn has come to in its last run; the caller's only

	// Protected by the committer's mutex.
	batch *batch // the one that it is in since its turn has come; nil while it queues
	gone  bool   // the caller has stopped waiting
	alone bool   // it must not share a request any more
	rank  int    // those of a higher one are first
	why   error  // what kept the last attempt from being applied
}

// A message is a turn or the end.
type message struct {
	turn *Tx // run fn on this
	outcome
}

type outcome struct {
	snapshot *Snapshot
	err      error
}

// errGone is what the committer gets in place of fn's result when fn did not
// return: the caller has given up, panicked, or ended its goroutine.
var errGone = errors.New("mapstore: the transaction's caller is gone")

func newTransaction(fn func(*Tx) error) *transaction {
	// Each channel has room for all that can be under way, so that neither side
	// can hold up the other: when the store closes, the end may follow a turn.
	return &transaction{fn: fn, inbox: make(chan message, 2), ran: make(chan error, 1)}
}

// isAwaited reports whether the caller still waits.
func (t *transaction) isAwaited() bool { return !t.gone }

// await runs fn whenever it is its turn, until there is an outcome, ctx ends or
// the time is over.
func (t *transaction) await(ctx context.Context, timeout <-chan time.Time, c *committer) (*Snapshot, error) {
	for {
		select {
		case m := <-t.inbox:
			if m.turn == nil {
				return m.snapshot, m.err
			}
			t.run(m.turn)
		case <-ctx.Done():
			return t.giveUp(ctx.Err(), c)
		case <-timeout:
			return t.giveUp(context.DeadlineExceeded, c)
		}
	}
}

func (t *transaction) run(tx *Tx) {
	t.own = errGone // unless it returns
	defer func() { t.ran <- t.own }()
	t.own = t.fn(tx)
}

// giveUp ends a transaction for which there is no more time, for the reason that
// is given, and says where that leaves it.
func (t *transaction) giveUp(reason error, c *committer) (*Snapshot, error) {
	sent, why := c.leave(t)
	for len(t.inbox) > 0 { // it came at the same moment
		m := <-t.inbox
		if m.turn == nil { // and says more
			return m.snapshot, m.err
		}
		t.ran <- errGone
		sent = false
	}
	switch {
	case sent:
		return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, reason)
	case why != nil:
		return nil, fmt.Errorf("mapstore: not applied: %w: %w", reason, why)
	default:
		return nil, fmt.Errorf("mapstore: not applied: %w", reason)
	}
}
