package watch

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// A workerPool is the goroutines that run the callbacks of a [Var]. It has one for each
// callback that blocks, and a few more while there is work; without work it has none.
// One goroutine for each step would be simpler, but ten thousand at once cost several
// times as much as the steps themselves.
type workerPool struct {
	mu       sync.Mutex // protects all below
	queue    []*Subscription
	starting bool // a worker has been started and has taken nothing yet
}

// schedule makes a worker run s soon.
func (p *workerPool) schedule(s *Subscription) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, s)
	p.startLocked()
}

// startLocked makes sure that another worker is starting. A worker may block in a
// callback, or never return from it: the queue must not wait for that worker.
func (p *workerPool) startLocked() {
	if !p.starting {
		p.starting = true
		go p.work()
	}
}

// work runs subscriptions until the queue is empty.
func (p *workerPool) work() {
	id := goroutineID()
	workers.Store(id, struct{}{})
	defer workers.Delete(id)
	p.mu.Lock()
	p.starting = false
	for len(p.queue) > 0 {
		s := p.queue[0]
		p.queue[0] = nil
		if p.queue = p.queue[1:]; len(p.queue) > 0 {
			p.startLocked()
		} else {
			p.queue = nil
		}
		p.mu.Unlock()
		s.run(id)
		p.mu.Lock()
	}
	p.mu.Unlock()
}

// workers has the goroutines of all pools, by their numbers.
var workers sync.Map

// isInsideACallback reports whether the caller is a callback of any Var.
func isInsideACallback() bool {
	_, ok := workers.Load(goroutineID())
	return ok
}

// goroutineID reads the number of the calling goroutine from its stack trace, as net/http
// does. It is the only way to tell a Stop inside the callback, which must not wait for
// the callback's end, from any other Stop, which must.
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
