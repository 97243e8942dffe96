package ledger

import (
	"slices"
	"time"
)

// Turns put the stores that write to one map at the same time in order. Each commit
// makes all other requests that are on their way fail, so the fewer there are, the more
// of them commit. And without an order, the store that commits hears of it first and
// wins again. All stores see the ledger, which gives the order: the one that committed
// longest ago is next. The others wait, each one slot longer than the one ahead of it,
// in case the stores ahead have nothing to write.
//
// A store that nobody competes with never waits.
type Turns struct {
	Author Author
	Slot   Slot
}

// queue returns the authors of recent commits, in the order of their next turns. An
// author that missed its turn, because one behind it committed, has no place until it
// commits again.
func queue(ids IDs) []Author {
	var queue []Author
	for _, id := range slices.Backward(ids) {
		author := authorOf(id)
		queue = append(queue[slices.Index(queue, author)+1:], author)
	}
	return queue
}

// Delay returns how long after the newest commit it is the store's turn. A store without
// a place draws one with draw, which returns a random number below n. So it tries as
// often as a store that has a place: it gets one soon, and many stores without a place
// do not crowd out the others.
func (t *Turns) Delay(ids IDs, draw func(n int) int) time.Duration {
	queue := queue(ids)
	place := slices.Index(queue, t.Author)
	if place < 0 && len(queue) > 0 {
		place = draw(len(queue))
	}
	return time.Duration(max(place, 0)) * t.Slot.Length()
}

// A Slot is how long a store waits for each store ahead of it: long enough for that one
// to see the newest version and send its own. A store learns it from the duration of its
// own requests, as TCP learns its retransmission timeout (RFC 6298). It does not use the
// time between versions: then a store that writes now and then would slow all others
// down to its own pace.
type Slot struct{ mean, deviation time.Duration }

const (
	firstSlot = 10 * time.Millisecond
	minSlot   = 2 * time.Millisecond
	maxSlot   = 250 * time.Millisecond
)

// Observe notes how long a request took.
func (s *Slot) Observe(took time.Duration) {
	if s.mean == 0 {
		s.mean, s.deviation = took, took/2
		return
	}
	s.deviation += ((s.mean - took).Abs() - s.deviation) / 4
	s.mean += (took - s.mean) / 8
}

// Mean returns the average duration of a request; 0 if there has been none.
func (s *Slot) Mean() time.Duration { return s.mean }

// Length returns the slot's length.
func (s *Slot) Length() time.Duration {
	if s.mean == 0 {
		return firstSlot
	}
	return min(max(2*s.mean+4*s.deviation, minSlot), maxSlot)
}
