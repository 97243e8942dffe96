package group

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// A gathering decides for how many callers to wait before a batch is collected.
// Callers who have just had their answer often call again at once; the next request
// should carry all of them, not only the first.
type gathering struct {
	expected int // how many shared the last request or were queued when it was answered

	// They may not all call again. After a wait in vain the next penalty batches do
	// not wait; skips counts them down. The penalty grows with each wait in vain.
	skips, penalty int
}

const (
	maxGather  = time.Millisecond
	maxPenalty = 64
)

// Wait blocks until there is a call in the queue. If fewer calls than expected have
// queued, it then waits for the others too: for share, which should be a small part of
// the time that a request takes, and at most 1 ms. If all calls in the queue are held
// back, it waits for any other call for as long as hold says. It returns false when ctx
// ends.
func (g *Group[T, R]) Wait(ctx context.Context, share time.Duration, hold func() time.Duration) bool {
	for !g.gather(share) {
		select {
		case <-g.wake:
		case <-ctx.Done():
			return false
		}
	}
	if queued, allHeld := g.held(); allHeld {
		g.awaitQueued(ctx, queued+1, hold())
	}
	return ctx.Err() == nil
}

// Expect notes that a batch of so many members has been answered: [Group.Wait] expects
// them again.
func (g *Group[T, R]) Expect(members int) { g.gathering.expected = members + g.Queued() }

// gather yields for as long as more callers queue up, and then waits for those who are
// still expected. That wait blocks, because yielding does not reach a goroutine whose
// thread the operating system has suspended. It reports whether there is a call in the
// queue.
func (g *Group[T, R]) gather(share time.Duration) bool {
	queued := g.Queued()
	for before := -1; queued > before; queued = g.Queued() {
		before = queued
		runtime.Gosched()
	}
	w := &g.gathering
	switch {
	case queued == 0:
		return false
	case queued >= w.expected:
	case w.skips > 0:
		w.skips--
	case g.awaitQueued(context.Background(), w.expected, min(share, maxGather)):
		w.penalty = 0
	default:
		w.penalty = min(2*w.penalty+1, maxPenalty)
		w.skips = w.penalty
	}
	return true
}

// held returns how many calls queue, and whether all of them are held back.
func (g *Group[T, R]) held() (queued int, all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue), len(g.queue) > 0 && !slices.ContainsFunc(g.queue, func(c *call[T, R]) bool { return c.hold == 0 })
}

// awaitQueued blocks until n calls queue, and reports whether they do.
func (g *Group[T, R]) awaitQueued(ctx context.Context, n int, timeout time.Duration) bool {
	g.wakeAt(n)
	defer g.wakeAt(0)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-g.wake:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// wakeAt sets the threshold, and drops a token that was there before.
func (g *Group[T, R]) wakeAt(threshold int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.threshold = threshold
	select {
	case <-g.wake:
	default:
	}
	if n := len(g.queue); n > 0 && n >= threshold {
		g.signal()
	}
}
