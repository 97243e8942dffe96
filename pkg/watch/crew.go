package watch

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// A crew is the goroutines that run the callbacks of a [Var]. It has as many as
// there are callbacks that block, and a few more while there is work; none when
// there is none. One goroutine for each delivery would be simpler, but ten
// thousand at once cost several times as much as the deliveries.
type crew struct {
	mu    sync.Mutex // protects all below
	ready []*Subscription
	spare bool // a worker is on its way that has not taken anything yet
}

// take has the crew run s, soon.
func (c *crew) take(s *Subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = append(c.ready, s)
	c.hireLocked()
}

// hireLocked makes sure that a worker is on its way. So whoever takes a
// subscription may block in its callback, or not come back at all: what is
// ready does not wait for it.
func (c *crew) hireLocked() {
	if !c.spare {
		c.spare = true
		go c.work()
	}
}

func (c *crew) work() {
	id := goroutineID()
	c.mu.Lock()
	c.spare = false
	for len(c.ready) > 0 {
		s := c.ready[0]
		c.ready[0] = nil
		if c.ready = c.ready[1:]; len(c.ready) > 0 {
			c.hireLocked()
		} else {
			c.ready = nil
		}
		c.mu.Unlock()
		s.run(id)
		c.mu.Lock()
	}
	c.mu.Unlock()
}

// goroutineID reads the number of the calling goroutine off its stack trace, as
// net/http does. Nothing else tells a callback from another caller of Stop, and
// only one of the two may wait for the callback's end.
func goroutineID() uint64 {
	var buf [32]byte
	trace := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(trace, []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic("watch: unexpected stack trace: " + string(trace))
	}
	return id
}
