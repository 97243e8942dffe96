package group

import (
	"context"
	"slices"
	"sync"
)

// A Group combines callers into batches. A caller's function runs on a T, and the
// caller gets an R. Make a Group with [New]. Do may be called from any goroutine; all
// other methods are for the driver.
type Group[T, R any] struct {
	wake      chan struct{} // holds one token when there may be something in the queue
	gathering gathering     // used by the driver only

	mu        sync.Mutex    // protects all below, and fields of calls and batches
	queue     []*call[T, R] // in the order of their tickets
	tickets   uint64        // how many were handed out
	threshold int           // how many calls must queue to wake the driver; 0 and 1 mean any
	closed    error         // the error of new calls; nil while they are accepted
}

// New returns an empty group.
func New[T, R any]() *Group[T, R] {
	return &Group[T, R]{wake: make(chan struct{}, 1)}
}

// An Outcome is how a call of [Group.Do] ended.
type Outcome[R any] struct {
	Result R
	Err    error

	// Own says that Err is what the caller's function returned.
	Own bool
	// Left says that ctx ended first: Err is ctx's error.
	Left bool
	// InFlight says, if Left, that a request which carries the call may be in flight:
	// the call may have been applied, or may be later.
	InFlight bool
	// Last is, if Left, the error that the call's last attempt met; nil if none.
	Last error
}

// Do runs fn in the calling goroutine, as often as it takes, until the driver has an
// outcome or ctx ends.
func (g *Group[T, R]) Do(ctx context.Context, fn func(T) error) Outcome[R] {
	c := newCall[T, R](fn)
	if err := g.enqueue(c); err != nil {
		return Outcome[R]{Err: err}
	}
	for {
		select {
		case m := <-c.inbox:
			if m.end != nil {
				return *m.end
			}
			c.run(m.input)
		case <-ctx.Done():
			return g.leave(c, ctx.Err())
		}
	}
}

func (g *Group[T, R]) enqueue(c *call[T, R]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return g.closed
	}
	g.tickets++
	c.ticket = g.tickets
	g.queue = append(g.queue, c)
	if len(g.queue) >= g.threshold {
		g.signal()
	}
	return nil
}

// signal wakes the driver.
func (g *Group[T, R]) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// leave withdraws a call whose caller gives up.
func (g *Group[T, R]) leave(c *call[T, R], reason error) Outcome[R] {
	inFlight, last := g.remove(c)
	for len(c.inbox) > 0 { // a message came at the same moment
		m := <-c.inbox
		if m.end != nil { // it says more than reason
			return *m.end
		}
		c.ran <- errGone
	}
	return Outcome[R]{Err: reason, Left: true, InFlight: inFlight, Last: last}
}

// remove marks c as gone, and takes it out of the queue or tells its batch.
func (g *Group[T, R]) remove(c *call[T, R]) (inFlight bool, last error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.gone = true
	if b := c.batch; b != nil {
		inFlight = b.inFlight
		b.memberLeftLocked()
	} else {
		g.queue = slices.DeleteFunc(g.queue, func(other *call[T, R]) bool { return other == c })
	}
	return inFlight, c.last
}

// Queued returns how many calls wait to be collected.
func (g *Group[T, R]) Queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue)
}

// Refuse ends all calls in the queue with err.
func (g *Group[T, R]) Refuse(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuseLocked(err)
}

// Close ends all calls in the queue, and those to come, with err.
func (g *Group[T, R]) Close(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = err
	g.refuseLocked(err)
}

func (g *Group[T, R]) refuseLocked(err error) {
	for _, c := range g.queue {
		c.end(Outcome[R]{Err: err})
	}
	g.queue = nil
}
