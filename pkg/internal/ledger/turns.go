package ledger

import (
	"slices"
	"time"
)

// Turns are the order in which stores write to one map at the same time. Each
// commit makes all other requests fail that are on their way, so the fewer there
// are, the more of them commit; and without an order whoever commits hears of it
// first, and wins again. What stores need to agree on an order is in the ledger,
// which all of them see: who committed longest ago is next. The others wait, each
// for one slot more than the one before it, in case that those have nothing to write.
//
// A store that nobody competes with never waits.
type Turns struct {
	Author Author
	Slot   Slot
}

// queue returns the authors of recent commits, in the order of their next turns.
// One whose turn has passed, because somebody behind it committed, has no place
// until it commits again.
func queue(ids IDs) []Author {
	var queue []Author
	for _, id := range slices.Backward(ids) {
		author := authorOf(id)
		queue = append(queue[slices.Index(queue, author)+1:], author)
	}
	return queue
}

// Delay returns how long after the newest commit it is the store's turn. A store
// without a place draws one with draw, which returns a number below n: so it tries as
// often as each of those that have a place. It gets one soon, and many who have none
// do not crowd out the others.
func (t *Turns) Delay(ids IDs, draw func(n int) int) time.Duration {
	queue := queue(ids)
	place := slices.Index(queue, t.Author)
	if place < 0 && len(queue) > 0 {
		place = draw(len(queue))
	}
	return time.Duration(max(place, 0)) * t.Slot.Length()
}

// A Slot is how long a store waits for each one that is before it: long enough
// for that one to see the newest version and to send its own. It is learnt from
// how long the store's own requests take, in the way in which TCP learns when to
// retransmit (RFC 6298). The time between versions would be no measure: then a
// store that writes now and then would slow all others down to its own pace.
type Slot struct{ mean, deviation time.Duration }

const (
	firstSlot = 10 * time.Millisecond
	minSlot   = 2 * time.Millisecond
	maxSlot   = 250 * time.Millisecond
)

// Observe notes how long a request has taken.
func (s *Slot) Observe(took time.Duration) {
	if s.mean == 0 {
		s.mean, s.deviation = took, took/2
		return
	}
	s.deviation += ((s.mean - took).Abs() - s.deviation) / 4
	s.mean += (took - s.mean) / 8
}

// Mean returns how long a request takes; 0 if there has been none.
func (s *Slot) Mean() time.Duration { return s.mean }

// Length returns the slot's length.
func (s *Slot) Length() time.Duration {
	if s.mean == 0 {
		return firstSlot
	}
	return min(max(2*s.mean+4*s.deviation, minSlot), maxSlot)
}
