package group

import (
	"context"
	"slices"
	"sync"
)

// A Group is callers who wait, and how they are combined. Functions get a T to
// run on, and callers get an R. Make one with [New]; Do may be called from any
// goroutine, all else is for the one driver.
type Group[T, R any] struct {
	wake      chan struct{} // holds one token when there may be something in the queue
	gathering gathering     // used by the driver only

	mu      sync.Mutex    // protects all below, and the marks of calls and batches
	queue   []*call[T, R] // by their tickets
	tickets uint64
	quorum  int   // how many must queue before newcomers wake the driver; 0 and 1 are the same
	closed  error // what new calls end with; nil while they are taken
}

// New returns a group that nobody waits in.
func New[T, R any]() *Group[T, R] {
	return &Group[T, R]{wake: make(chan struct{}, 1)}
}

// An Outcome is how a call of [Group.Do] ended.
type Outcome[R any] struct {
	Result R
	Err    error

	// Own says that Err is what the caller's function has returned.
	Own bool
	// Left says that ctx ended first: Err is ctx's error.
	Left bool
	// InFlight says of a caller who left that a request which carries it may be in
	// flight, so that it may yet be applied, or have been.
	InFlight bool
	// Last is, for a caller who left, what its last attempt met; nil if it met
	// nothing.
	Last error
}

// Do takes fn through to its outcome, and runs it in the calling goroutine, as
// often as it takes. It returns when the driver has an outcome, or ctx ends.
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
	if len(g.queue) >= g.quorum {
		g.signal()
	}
	return nil
}

func (g *Group[T, R]) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// leave takes out a call whose caller gives up.
func (g *Group[T, R]) leave(c *call[T, R], reason error) Outcome[R] {
	inFlight, last := g.remove(c)
	for len(c.inbox) > 0 { // it came at the same moment
		m := <-c.inbox
		if m.end != nil { // and says more
			return *m.end
		}
		c.ran <- errGone
	}
	return Outcome[R]{Err: reason, Left: true, InFlight: inFlight, Last: last}
}

func (g *Group[T, R]) remove(c *call[T, R]) (inFlight bool, last error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.gone = true
	if b := c.batch; b != nil {
		inFlight = b.inFlight
		b.lostLocked()
	} else {
		g.queue = slices.DeleteFunc(g.queue, func(other *call[T, R]) bool { return other == c })
	}
	return inFlight, c.last
}

// Queued returns how many wait to be collected.
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
