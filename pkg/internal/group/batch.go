package group

import (
	"cmp"
	"context"
	"runtime"
	"slices"
)

// A Batch is the calls that one request carries.
type Batch[T, R any] struct {
	group *Group[T, R]

	// Protected by the group's mutex.
	members  []*call[T, R]
	cancel   context.CancelFunc // ends the attempt
	inFlight bool               // a request that carries it may be in flight
	void     bool               // somebody has left and was told that nothing was done: it must not go
}

// A Draft is what members' functions make, one after the other.
type Draft[T any] interface {
	// Begin returns what the next function runs on.
	Begin() T
	// Add makes what a function has done to it part of the draft. When it returns an
	// error, the draft is as it was.
	Add(T) error
	// Changed reports whether functions that were added have changed anything.
	Changed() bool
}

// Collect lets the functions run of those whose turn it is, and returns the batch
// of those that are now part of the draft. When ctx ends, those who are collected end
// with its cause: Collect does not wait for a function that may never return.
//
// The ctx that it returns is for the attempt. It ends when that makes no sense any
// more, but not with ctx: it is the driver's to say what becomes of a request that is
// in flight then.
func (g *Group[T, R]) Collect(ctx context.Context, draft Draft[T]) (*Batch[T, R], context.Context) {
	attempt, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &Batch[T, R]{group: g, cancel: cancel}
	var again []*call[T, R]
	for _, c := range g.take() {
		input := draft.Begin()
		if !g.offer(c, input) {
			continue
		}
		var err error
		select {
		case err = <-c.ran:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // the function may go on reading the draft, so nothing is added any more
			c.end(Outcome[R]{Err: context.Cause(ctx)})
			continue
		}
		own := err != nil
		if !own {
			if err = draft.Add(input); err == nil {
				b.join(c)
			}
		}
		switch {
		case err == nil, err == errGone: //nolint:errorlint // its own value, bare
		case draft.Changed():
			again = append(again, c)
		default:
			c.end(Outcome[R]{Err: err, Own: own})
		}
	}
	g.putBack(again)
	return b, attempt
}

// offer lets c run, unless its caller has left. Both happen under the lock, so
// that a caller who leaves later finds it waiting.
func (g *Group[T, R]) offer(c *call[T, R], input T) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.gone {
		c.inbox <- message[T, R]{input: input}
	}
	return !c.gone
}

// join makes c a member.
func (b *Batch[T, R]) join(c *call[T, R]) {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	c.batch = b
	b.members = append(b.members, c)
	if c.gone {
		b.lostLocked()
	}
}

// take removes those from the queue who are next: all of them, but for those
// who are held back and those who must be alone.
func (g *Group[T, R]) take() []*call[T, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	least := 0 // more than nothing if there is nobody to let go first
	if len(g.queue) > 0 {
		least = slices.MinFunc(g.queue, func(a, b *call[T, R]) int { return cmp.Compare(a.hold, b.hold) }).hold
	}
	var taken, left []*call[T, R]
	full := false
	for _, c := range g.queue {
		c.hold -= least
		switch {
		case c.hold > 0:
			c.hold--
			left = append(left, c)
		case full || c.alone && len(taken) > 0:
			full = true
			left = append(left, c)
		default:
			full = c.alone
			taken = append(taken, c)
		}
	}
	if g.queue = left; len(left) > 0 {
		g.signal()
	}
	return taken
}

// Len returns how many calls the batch carries, those who have left included.
func (b *Batch[T, R]) Len() int {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	return len(b.members)
}

// SetInFlight notes that a request which carries the batch is about to be in flight. It
// reports false, and the request must not go, if somebody has left who was told
// that nothing was done.
func (b *Batch[T, R]) SetInFlight() bool {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	b.inFlight = !b.void
	return b.inFlight
}

// InFlight reports whether a request may be in flight that carries the batch.
func (b *Batch[T, R]) InFlight() bool {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	return b.inFlight
}

// Cancel ends the attempt.
func (b *Batch[T, R]) Cancel() { b.cancel() }

// ClearInFlight notes that no request is in flight that carries the batch, and that none
// has been applied.
func (b *Batch[T, R]) ClearInFlight() {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	b.inFlight = false
}

// lostLocked notes that a member has left. The attempt ends if nobody waits for it
// any more, and if the one who left must not be part of it.
func (b *Batch[T, R]) lostLocked() {
	b.void = b.void || !b.inFlight
	if b.void || !slices.ContainsFunc(b.members, func(c *call[T, R]) bool { return !c.gone }) {
		b.cancel()
	}
}

// Note says what the attempt has met, for those who leave.
func (b *Batch[T, R]) Note(err error) {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	for _, c := range b.members {
		c.last = err
	}
}

// Finish ends all members' calls. Before that it yields: callbacks that the new
// version has woken are next to run then, and not behind all that the members do.
func (b *Batch[T, R]) Finish(result R, err error) {
	runtime.Gosched()
	b.cancel()
	for _, c := range b.members {
		c.end(Outcome[R]{Result: result, Err: err})
	}
}

// A Mark says under which terms a batch is tried again.
type Mark int

const (
	Together Mark = iota // as before
	Alone                // each call by itself: one of them may be why the request has failed
	HeldBack             // each by itself, and others go first
)

// Retry puts the members back into the queue.
func (b *Batch[T, R]) Retry(mark Mark) {
	b.cancel()
	b.group.mu.Lock()
	for _, c := range b.members {
		c.batch = nil
		c.alone = c.alone || mark != Together
		if mark == HeldBack {
			c.holdBack()
		}
	}
	b.group.mu.Unlock()
	b.group.putBack(b.members)
}

// putBack puts calls that somebody waits for back to their places in the queue.
func (g *Group[T, R]) putBack(calls []*call[T, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range calls {
		if !c.gone {
			g.queue = append(g.queue, c)
		}
	}
	slices.SortFunc(g.queue, func(a, b *call[T, R]) int { return cmp.Compare(a.ticket, b.ticket) })
	if len(g.queue) > 0 {
		g.signal()
	}
}
