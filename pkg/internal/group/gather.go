package group

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// A gathering is for how many callers it pays to wait before a batch is collected.
// Those who have just had their answer often call again at once; the next request
// should carry them too, rather than the first of them alone.
type gathering struct {
	expected int // who shared the last request, and who was waiting when it was answered

	// Nobody knows whether they all call again. After a wait in vain the next
	// batches do not wait, and the more of them the more often that happens.
	rests, penalty int
}

const (
	maxGather  = time.Millisecond
	maxPenalty = 64
)

// Wait blocks until somebody queues. If some are missing of those who are expected,
// as they shared the last request, it then waits for them too: for share, which
// should be a small part of the time that a request takes, and 1 ms at most. If all
// who queue are held back, it waits for anybody else for as long as hold says. It
// returns false when ctx ends.
func (g *Group[T, R]) Wait(ctx context.Context, share time.Duration, hold func() time.Duration) bool {
	for !g.gather(share) {
		select {
		case <-g.wake:
		case <-ctx.Done():
			return false
		}
	}
	if queued, allHeld := g.held(); allHeld {
		g.await(ctx, queued+1, hold())
	}
	return ctx.Err() == nil
}

// Expect notes that a batch of so many has been answered.
func (g *Group[T, R]) Expect(members int) { g.gathering.expected = members + g.Queued() }

// gather lets others run for as long as more of them queue up, and then waits for
// those who are missing. It blocks rather than yields, because yielding does not
// find goroutines whose processor the system has taken away. It reports whether
// anybody queues.
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
	case w.rests > 0:
		w.rests--
	case g.await(context.Background(), w.expected, min(share, maxGather)):
		w.penalty = 0
	default:
		w.penalty = min(2*w.penalty+1, maxPenalty)
		w.rests = w.penalty
	}
	return true
}

func (g *Group[T, R]) held() (queued int, all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue), !slices.ContainsFunc(g.queue, func(c *call[T, R]) bool { return c.hold == 0 })
}

// await blocks until so many queue, and reports whether they do.
func (g *Group[T, R]) await(ctx context.Context, quorum int, timeout time.Duration) bool {
	g.demand(quorum)
	defer g.demand(0)
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

// demand sets the quorum, and what wakes the driver from then on.
func (g *Group[T, R]) demand(quorum int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.quorum = quorum
	select {
	case <-g.wake:
	default:
	}
	if n := len(g.queue); n > 0 && n >= quorum {
		g.signal()
	}
}
