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
	inFlight bool               // a request that carries the batch may be in flight
	void     bool               // a member left and was told that nothing was done: the request must not be sent
}

// A Draft collects what the members' functions make, one after the other.
type Draft[T any] interface {
	// Begin returns what the next function runs on.
	Begin() T
	// Add makes what a function did to its input part of the draft. If Add returns an
	// error, the draft is unchanged.
	Add(T) error
	// Changed reports whether anything that was added has changed the draft.
	Changed() bool
}

// Collect runs the functions of the calls whose turn it is, and returns the batch of
// those that are now part of the draft. If ctx ends meanwhile, the remaining calls end
// with its cause: Collect does not wait for a function that may never return.
//
// The ctx that Collect returns is for the attempt. It ends when the attempt has become
// pointless, but not with the ctx that was given: the driver decides what happens to a
// request that is in flight then.
func (g *Group[T, R]) Collect(ctx context.Context, draft Draft[T]) (*Batch[T, R], context.Context) {
	attempt, cancel := context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // the batch calls cancel, at its end
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
		if ctx.Err() != nil { // add nothing more: the function may still be reading the draft
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

// offer gives c its input, unless the caller has left. It holds the lock for both, so
// that a caller who leaves later finds the input in the inbox.
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
		b.memberLeftLocked()
	}
}

// maxVoids is how often a call's batch may become void before the call shares its next
// only with others to whom that has happened.
const maxVoids = 2

// take removes the calls that are next from the queue: all of them, except those that
// are held back and those that must be alone. Calls whose batches have become void again
// and again go first, without those whose callers are about to give up.
func (g *Group[T, R]) take() []*call[T, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	least := 0 // above zero if all are held back: then there is nobody to let go first
	if len(g.queue) > 0 {
		least = slices.MinFunc(g.queue, func(a, b *call[T, R]) int { return cmp.Compare(a.hold, b.hold) }).hold
	}
	var taken, left []*call[T, R]
	full := false
	patient := slices.ContainsFunc(g.queue, func(c *call[T, R]) bool { return c.hold == least && c.voids >= maxVoids })
	for _, c := range g.queue {
		c.hold -= least
		switch {
		case patient && c.voids < maxVoids:
			left = append(left, c)
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

// Len returns how many calls the batch carries, including those whose callers left.
func (b *Batch[T, R]) Len() int {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	return len(b.members)
}

// SetInFlight notes that a request which carries the batch is about to be in flight. If
// it returns false, the request must not be sent: a member left and was told that
// nothing was done.
func (b *Batch[T, R]) SetInFlight() bool {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	b.inFlight = !b.void
	return b.inFlight
}

// InFlight reports whether a request that carries the batch may be in flight.
func (b *Batch[T, R]) InFlight() bool {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	return b.inFlight
}

// Cancel ends the attempt.
func (b *Batch[T, R]) Cancel() { b.cancel() }

// ClearInFlight notes that no request that carries the batch is in flight, and that none
// was applied.
func (b *Batch[T, R]) ClearInFlight() {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	b.inFlight = false
}

// memberLeftLocked notes that a member has left. The attempt ends if nobody waits for
// it any more, or if nothing was in flight, so that the member was told that nothing
// was done.
func (b *Batch[T, R]) memberLeftLocked() {
	b.void = b.void || !b.inFlight
	if b.void || !slices.ContainsFunc(b.members, func(c *call[T, R]) bool { return !c.gone }) {
		b.cancel()
	}
}

// Note records the attempt's latest error, to be told to callers who leave.
func (b *Batch[T, R]) Note(err error) {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	for _, c := range b.members {
		c.last = err
	}
}

// Finish ends all members' calls. It yields first, so that callbacks which the new
// version has woken run before the members go on.
func (b *Batch[T, R]) Finish(result R, err error) {
	runtime.Gosched()
	b.cancel()
	for _, c := range b.members {
		c.end(Outcome[R]{Result: result, Err: err})
	}
}

// A Mark says how the calls of a batch are tried again.
type Mark int

// The marks.
const (
	Together Mark = iota // as before
	Alone                // each call by itself: one of them may be why the request failed
	HeldBack             // each call by itself, after others
)

// Retry puts the members back into the queue.
func (b *Batch[T, R]) Retry(mark Mark) {
	b.cancel()
	b.group.mu.Lock()
	for _, c := range b.members {
		c.batch = nil
		if c.voids++; !b.void {
			c.voids = 0
		}
		c.alone = c.alone || mark != Together
		if mark == HeldBack {
			c.holdBack()
		}
	}
	b.group.mu.Unlock()
	b.group.putBack(b.members)
}

// putBack returns calls to their places in the queue, except those whose callers left.
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
