package mapstore

import (
	"runtime"
	"time"
)

// A gathering is for how many writers it pays to wait before a request is made
// up. Those who have just had their answer often write on at once; the next
// request should carry them too, rather than the first of them alone.
type gathering struct {
	expected int // who shared the last request, and who was waiting when it was answered

	// Nobody knows whether they all write on. After a wait in vain the next
	// requests do not wait, and the more of them the more often that happens.
	rests, penalty int
}

const (
	maxGather  = time.Millisecond
	maxPenalty = 64
)

// gather lets others run for as long as more of them queue up. If then some are
// missing of those who are expected, it waits for them, for a small share of the
// time that a request takes at most. It blocks rather than yields: only so are
// goroutines found that wait for a processor which the system has taken away. It
// reports whether there is anybody.
func (c *committer) gather() bool {
	queued := c.queued()
	for before := -1; queued > before; queued = c.queued() {
		before = queued
		runtime.Gosched()
	}
	w := &c.wait
	switch {
	case queued == 0:
		return false
	case queued >= w.expected:
	case w.rests > 0:
		w.rests--
	case c.await(w.expected, min(c.turns.slot.mean/4, maxGather)):
		w.penalty = 0
	default:
		w.penalty = min(2*w.penalty+1, maxPenalty)
		w.rests = w.penalty
	}
	return true
}

// await blocks until so many have queued up, and reports whether they have.
func (c *committer) await(quorum int, patience time.Duration) bool {
	c.demand(quorum)
	defer c.demand(0)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.wake:
		return true
	case <-timer.C:
		return false
	}
}

// demand sets the quorum, and what wakes the committer from then on.
func (c *committer) demand(quorum int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quorum = quorum
	select {
	case <-c.wake:
	default:
	}
	if n := len(c.queue); n > 0 && n >= quorum {
		c.signal()
	}
}
