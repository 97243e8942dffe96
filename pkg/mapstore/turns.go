package mapstore

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Stores that write to one map at the same time take turns. Each commit makes
// all other requests fail that are on their way, so the fewer there are, the more
// of them commit; and without an order whoever commits hears of it first, and
// wins again. What they need to agree on an order is in the ledger, which all of
// them see: each id begins with its author, and who committed longest ago is
// next. The others wait, each for one slot more than the one before it, in case
// that those before it have nothing to write.
//
// It is a courtesy, nothing depends on it: what keeps commits apart is the
// resource version. A store that nobody competes with never waits.
type turns struct {
	author string
	slot   slot
}

// authorLength is how much of a commit's id names its author.
const authorLength = 4

func authorOf(id string) string { return id[:min(len(id), authorLength)] }

// queue returns the authors of recent commits, in the order of their next turns.
// One whose turn has passed, because somebody behind it committed, has no place
// until it commits again.
func (s *Snapshot) queue() []string {
	var queue []string
	for _, id := range slices.Backward(s.ledger()) {
		author := authorOf(id)
		queue = append(queue[slices.Index(queue, author)+1:], author)
	}
	return queue
}

// await blocks until it is the store's turn to write.
func (t *turns) await(ctx context.Context, local *replica) error {
	for {
		now := local.load()
		wait := time.Until(now.committed.Add(t.delay(now.queue())))
		if wait <= 0 {
			return nil
		}
		soon, cancel := context.WithTimeout(ctx, wait)
		_, _ = local.current.Wait(soon, func(next *Snapshot) bool { return next.serial != now.serial })
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// delay returns how long after the newest commit it is the store's turn.
func (t *turns) delay(queue []string) time.Duration {
	place := slices.Index(queue, t.author)
	if place < 0 && len(queue) > 0 {
		// A store without a place tries as often as each of those that have one. So
		// it gets one soon, and many who have none do not crowd out the others.
		place = rand.IntN(len(queue))
	}
	return time.Duration(max(place, 0)) * t.slot.length()
}

// A slot is how long a store waits for each one that is before it: long enough
// for that one to see the newest version and to send its own. It is learnt from
// how long the store's own requests take, in the way in which TCP learns when to
// retransmit (RFC 6298). The time between versions would be no measure: then a
// store that writes now and then would slow all others down to its own pace.
type slot struct{ mean, deviation time.Duration }

const (
	firstSlot = 10 * time.Millisecond
	minSlot   = 2 * time.Millisecond
	maxSlot   = 250 * time.Millisecond
)

// observe notes how long a request has taken.
func (s *slot) observe(took time.Duration) {
	if s.mean == 0 {
		s.mean, s.deviation = took, took/2
		return
	}
	s.deviation += ((s.mean - took).Abs() - s.deviation) / 4
	s.mean += (took - s.mean) / 8
}

func (s *slot) length() time.Duration {
	if s.mean == 0 {
		return firstSlot
	}
	return min(max(2*s.mean+4*s.deviation, minSlot), maxSlot)
}
