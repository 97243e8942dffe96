package mapstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
)

// A batch is the transactions that one request carries.
type batch struct {
	// Protected by the committer's mutex.
	members  []*transaction
	cancel   context.CancelFunc // ends the attempt; nil until its members are known
	departed bool               // a request that carries it may be in flight
}

// assemble gives everybody whose turn it is a turn, each on top of the ones
// before, and returns those whose writes are part of the draft. The others have
// their outcome: an error of their own touches nobody else. But one that has seen
// what is yet to be committed may be wrong, so its transaction runs again.
func (c *committer) assemble(ctx context.Context, b *batch, draft *draft) []*transaction {
	var members, doubtful []*transaction
	for _, t := range c.take() {
		tx := draft.begin()
		if !c.giveTurn(t, b, tx) {
			continue
		}
		var err error
		select {
		case err = <-t.ran:
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil:
			// The store is closing. It does not wait for a function that may
			// never return; and as that may go on reading the draft, nothing
			// is added to it any more.
			err = fmt.Errorf("%w: not applied", ErrClosed)
		case err == nil:
			err = draft.add(tx)
		}
		switch {
		case err == nil:
			members = append(members, t)
		case draft.written != nil && ctx.Err() == nil && !errors.Is(err, errGone):
			doubtful = append(doubtful, t)
		default:
			t.inbox <- message{outcome: outcome{err: err}}
		}
	}
	c.putBack(doubtful, func(t *transaction) { t.rank = 1 })
	return members
}

// giveTurn lets t run, unless its caller has left. Both happen under the lock,
// so that a caller that leaves later finds its turn waiting.
func (c *committer) giveTurn(t *transaction, b *batch, tx *Tx) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.gone {
		return false
	}
	t.batch = b
	t.inbox <- message{turn: tx}
	return true
}

// board says who is in the batch. It reports whether anybody still waits.
func (c *committer) board(b *batch, members []*transaction, cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.members, b.cancel = members, cancel
	return slices.ContainsFunc(members, (*transaction).isAwaited)
}

// depart closes the batch, right before a request is sent that carries it. It
// does not if a member has left: who left was told that nothing was applied.
func (c *committer) depart(b *batch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.departed = !slices.ContainsFunc(b.members, func(t *transaction) bool { return t.gone })
	return b.departed
}

// finish tells all members how it ended. Before that it yields: the callbacks that
// the new version has woken are next to run then, and begin no later than those go
// on who wrote. Otherwise they could be late by all that these do.
func (c *committer) finish(b *batch, end outcome) {
	runtime.Gosched()
	for _, t := range b.members {
		t.inbox <- message{outcome: end}
	}
}

// requeue lets a batch that was not applied run again.
func (c *committer) requeue(b *batch, again *again) {
	c.putBack(b.members, func(t *transaction) {
		t.why, t.alone = again.why, t.alone || again.alone || again.behind
		if again.behind {
			t.rank = min(t.rank, 0) - 1
		}
	})
}

// putBack puts transactions that somebody waits for back to the front of the
// queue, and marks them.
func (c *committer) putBack(all []*transaction, mark func(*transaction)) {
	if len(all) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var waiting []*transaction
	for _, t := range all {
		if t.isAwaited() {
			t.batch = nil
			mark(t)
			waiting = append(waiting, t)
		}
	}
	c.queue = append(waiting, c.queue...)
	c.signal()
}
