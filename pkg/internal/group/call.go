package group

import "errors"

// A call is one call of Do on its way. The driver decides when its function runs
// and on what, but it runs in its caller's goroutine.
type call[T, R any] struct {
	fn     func(T) error
	ticket uint64             // its place in the queue
	inbox  chan message[T, R] // from the driver
	ran    chan error         // to the driver: what fn returned

	// Protected by the group's mutex.
	batch    *Batch[T, R] // the one that it is a member of; nil while it queues
	gone     bool         // the caller waits no more
	alone    bool         // it must share no request any more
	setbacks int          // how often it was held back
	hold     int          // how many batches of others go first
	last     error        // what its last attempt met
}

// A message is what to run the function on, or the end.
type message[T, R any] struct {
	input T // run fn on this
	end   *Outcome[R]
}

// errGone is what the driver gets in place of fn's result when fn did not return:
// the caller has left, panicked, or ended its goroutine.
var errGone = errors.New("group: the caller is gone")

func newCall[T, R any](fn func(T) error) *call[T, R] {
	// Each channel has room for all that can be under way, so that neither side
	// can hold up the other: when the group closes, the end may follow an input.
	return &call[T, R]{fn: fn, inbox: make(chan message[T, R], 2), ran: make(chan error, 1)}
}

func (c *call[T, R]) run(input T) {
	err := errGone // unless fn returns
	defer func() { c.ran <- err }()
	err = c.fn(input)
}

func (c *call[T, R]) end(o Outcome[R]) { c.inbox <- message[T, R]{end: &o} }

// maxHold is how many batches of others go before a call that was held back often.
const maxHold = 31

// holdBack lets others go first, more of them each time.
func (c *call[T, R]) holdBack() {
	c.setbacks++
	c.hold = min(1<<min(c.setbacks, 8)-1, maxHold)
}
