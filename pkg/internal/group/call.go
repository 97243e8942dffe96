package group

import "errors"

// A call is one call of Do. The driver decides when its function runs and on what; the
// function runs in the caller's goroutine.
type call[T, R any] struct {
	fn     func(T) error
	ticket uint64             // its place in the queue
	inbox  chan message[T, R] // from the driver
	ran    chan error         // to the driver: what fn returned

	// Protected by the group's mutex.
	batch    *Batch[T, R] // the batch that it is a member of; nil while it queues
	gone     bool         // the caller has left
	alone    bool         // it must not share a request any more
	voids    int          // how often its batch became void
	setbacks int          // how often it was held back
	hold     int          // how many batches of others go first
	last     error        // the error that its last attempt met
}

// A message tells a call to run its function, or that it has ended.
type message[T, R any] struct {
	input T           // to run fn on, if end is nil
	end   *Outcome[R] // how the call has ended
}

// errGone is what the driver gets in place of fn's result when fn did not return:
// the caller left, panicked, or ended its goroutine.
var errGone = errors.New("group: the caller is gone")

func newCall[T, R any](fn func(T) error) *call[T, R] {
	// Each channel has room for all messages that can be under way, so that neither
	// side blocks the other: when the group closes, an end may follow an input.
	return &call[T, R]{fn: fn, inbox: make(chan message[T, R], 2), ran: make(chan error, 1)}
}

func (c *call[T, R]) run(input T) {
	err := errGone // unless fn returns
	defer func() { c.ran <- err }()
	err = c.fn(input)
}

func (c *call[T, R]) end(o Outcome[R]) { c.inbox <- message[T, R]{end: &o} }

// maxHold is the most batches of others that go before a call that is held back.
const maxHold = 31

// holdBack lets others go first, more of them each time.
func (c *call[T, R]) holdBack() {
	c.setbacks++
	c.hold = min(1<<min(c.setbacks, 8)-1, maxHold)
}
