package mapstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A committer turns transactions into guarded Updates, one at a time. While one
// request is in flight, waiting transactions gather in the queue; the next
// request carries them all (group commit). A transaction whose attempt was not
// applied goes back to the queue and runs again, on a newer version.
type committer struct {
	remote  *remote
	source  *source
	local   *replica
	options Options
	wake    chan struct{} // holds one token when there may be something in the queue
	turns   turns         // used by run only
	wait    gathering     // used by run only

	// For Stats.
	requests, commits, conflicts             atomic.Uint64
	requestTime                              atomic.Int64 // nanoseconds
	transactions, unknown, aborted, failures atomic.Uint64

	mu     sync.Mutex // protects all below, and what transaction and batch say
	queue  []*transaction
	quorum int // how many must have queued up before newcomers wake the committer; 0 and 1 are the same
	closed bool
}

func newCommitter(remote *remote, source *source, local *replica, options Options) *committer {
	return &committer{remote: remote, source: source, local: local, options: options, wake: make(chan struct{}, 1), turns: turns{author: newAuthor()}}
}

// do takes fn through to its outcome.
func (c *committer) do(ctx context.Context, fn func(*Tx) error) (_ *Snapshot, err error) {
	t := newTransaction(fn)
	defer func() {
		switch own := t.own; {
		case own != nil && (err == nil || errors.Is(err, own)): // fn did not return, or with this
			c.aborted.Add(1)
		case err == nil:
			c.transactions.Add(1)
		case errors.Is(err, ErrUnknownOutcome):
			c.unknown.Add(1)
		default:
			c.failures.Add(1)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mapstore: not applied: %w", err)
	}
	var timeout <-chan time.Time
	if _, limited := ctx.Deadline(); !limited {
		timer := time.NewTimer(c.options.WriteTimeout)
		defer timer.Stop()
		timeout = timer.C
	}
	if !c.enqueue(t) {
		return nil, ErrClosed
	}
	return t.await(ctx, timeout, c)
}

func (c *committer) enqueue(t *transaction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.queue = append(c.queue, t)
	if len(c.queue) >= c.quorum {
		c.signal()
	}
	return true
}

func (c *committer) queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// areAllBehind reports whether nobody queues but those whom the server did not
// cope with.
func (c *committer) areAllBehind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(c.queue, func(t *transaction) bool { return t.rank >= 0 })
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// leave takes a transaction out whose caller gives up. It reports whether a
// request that carries it may be in flight, and if not, what has kept it from
// being applied. An attempt for which nobody waits any more is cancelled.
func (c *committer) leave(t *transaction) (sent bool, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.gone = true
	switch b := t.batch; {
	case b == nil:
		c.queue = slices.DeleteFunc(c.queue, func(other *transaction) bool { return other == t })
	case b.cancel != nil && !slices.ContainsFunc(b.members, (*transaction).isAwaited):
		b.cancel()
	}
	if t.batch != nil && t.batch.departed {
		return true, nil
	}
	if t.why == nil {
		return false, c.source.link.Load().obstacle()
	}
	return false, t.why
}

// run commits until ctx is done.
func (c *committer) run(ctx context.Context) {
	defer c.close()
	if !c.awaitSync(ctx) {
		return
	}
	c.signal() // for those who came while it waited
	retry := newBackoff(c.options.MaxBackoff)
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		if !c.gather() {
			continue
		}
		if c.areAllBehind() {
			c.await(c.queued()+1, retry.next()) // for anybody else
		}
		if c.turns.await(ctx, c.local) != nil {
			return
		}
		again, ok := errors.AsType[*again](c.commit(ctx, retry))
		switch {
		case !ok:
			retry = newBackoff(c.options.MaxBackoff)
		case !again.atOnce && retry.wait(ctx) != nil:
			return
		}
	}
}

// sending notes that a request is sent that writes. It ends with answered, which
// must be called, and says how long that took and whether the request was void,
// as somebody else was faster.
func (c *committer) sending() (answered func(conflict bool) time.Duration) {
	relax, asked := c.source.expectAnswer(), time.Now()
	c.requests.Add(1)
	return func(conflict bool) time.Duration {
		relax()
		took := time.Since(asked)
		c.requestTime.Add(int64(took))
		if conflict {
			c.conflicts.Add(1)
		}
		return took
	}
}

// awaitSync blocks until the copy has been synced. Until then transactions
// wait, unless the server denies access: then they end with what it says.
func (c *committer) awaitSync(ctx context.Context) bool {
	for {
		l, err := c.source.link.Wait(ctx, func(l link) bool { return l.synced || l.deniedForLong() })
		if err != nil || l.synced {
			return err == nil
		}
		c.refuse(rejection(l.err))
		select {
		case <-c.wake:
		case <-ctx.Done():
			return false
		}
	}
}

// close ends the transactions that wait, and refuses new ones.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.refuse(fmt.Errorf("%w: not applied", ErrClosed))
}

// refuse ends the transactions that wait.
func (c *committer) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.queue {
		t.inbox <- message{outcome: outcome{err: err}}
	}
	c.queue = nil
}

// commit makes one attempt for those in the queue. It returns an *again if the
// attempt was not applied and they are in the queue again.
func (c *committer) commit(ctx context.Context, retry *backoff) error {
	draft := newDraft(c.local.load())
	batch := &batch{}
	members := c.assemble(ctx, batch, draft)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.board(batch, members, cancel) {
		return nil
	}
	after, err := c.write(ctx, batch, draft, retry)
	c.wait.expected = len(members) + c.queued()
	again, ok := errors.AsType[*again](err)
	switch {
	case !ok:
		if err == nil {
			c.commits.Add(1)
		}
		c.finish(batch, outcome{after, err})
		return nil
	case again.alone && len(members) == 1:
		c.finish(batch, outcome{err: again.why})
		return nil
	default:
		c.requeue(batch, again)
		return again
	}
}

// take returns those in the queue whose turn it is: all of them, but for those
// that must be alone.
func (c *committer) take() []*transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortStableFunc(c.queue, func(a, b *transaction) int { return cmp.Compare(b.rank, a.rank) })
	n := slices.IndexFunc(c.queue, func(t *transaction) bool { return t.alone })
	if n < 0 {
		n = len(c.queue)
	}
	n = min(max(n, 1), len(c.queue))
	taken := slices.Clone(c.queue[:n])
	if c.queue = slices.Clone(c.queue[n:]); len(c.queue) > 0 {
		c.signal()
	}
	return taken
}
