package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// A wire is a TCP proxy between one store and the API server that can be told
// to misbehave. It exists because toxiproxy, as a library, leaves goroutines
// behind when a toxic has ended a connection through which data flows, and
// resets only connections that were made after it was told to.
type wire struct {
	address  string
	upstream string
	broken   atomic.Int64 // connections that were cut
	tasks    sync.WaitGroup

	mu       sync.Mutex // protects all below
	listener net.Listener
	links    map[*link]struct{}
	trouble  trouble
	lifted   chan struct{} // closed when trouble is replaced
	rng      *rand.Rand
}

// Trouble is what happens to the bytes of each connection. The zero value lets
// them through.
type trouble struct {
	latency, jitter time.Duration // before each read's worth of bytes that the server sends
	hole            bool          // nothing gets through any more, nor does the end of a connection
	rate            int           // bytes a second each way; 0: no limit
}

// A link is one connection from the client on to the server.
type link struct {
	near, far *net.TCPConn
	broken    chan struct{} // closed with both
	end       func()
}

func newWire(upstream string, rng *rand.Rand) (*wire, error) {
	w := &wire{upstream: upstream, links: make(map[*link]struct{}), lifted: make(chan struct{}), rng: rng}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.address = listener.Addr().String()
	w.serve(listener)
	return w, nil
}

// set replaces the trouble. What a hole has held back goes on its way then,
// late, as it does when a network is mended.
func (w *wire) set(t trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = t
	close(w.lifted)
	w.lifted = make(chan struct{})
}

// refuse closes all connections and makes new ones be refused, until restore.
func (w *wire) refuse() {
	w.mu.Lock()
	listener := w.listener
	w.listener = nil
	w.mu.Unlock()
	if listener != nil {
		listener.Close()
	}
	w.cut(false)
}

// restore accepts connections again, at the same address.
func (w *wire) restore(ctx context.Context) error {
	var config net.ListenConfig
	for {
		listener, err := config.Listen(ctx, "tcp", w.address)
		if err == nil {
			w.serve(listener)
			return nil
		}
		// An outgoing connection of some process can have the port for a moment.
		if rig.Pause(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}

// cut closes all connections, by a TCP reset if asked to.
func (w *wire) cut(reset bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.links {
		if reset {
			_ = l.near.SetLinger(0)
			_ = l.far.SetLinger(0)
		}
		l.end()
		w.broken.Add(1)
	}
}

// close ends the wire; nothing of it is running when it returns.
func (w *wire) close() {
	w.refuse()
	w.tasks.Wait()
}

func (w *wire) serve(listener net.Listener) {
	w.mu.Lock()
	w.listener = listener
	w.mu.Unlock()
	w.tasks.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			w.tasks.Go(func() { w.carry(listener, near.(*net.TCPConn)) })
		}
	})
}

func (w *wire) carry(listener net.Listener, near *net.TCPConn) {
	far, err := net.DialTimeout("tcp", w.upstream, 10*time.Second)
	if err != nil {
		_ = near.Close()
		return
	}
	l := &link{near: near, far: far.(*net.TCPConn), broken: make(chan struct{})}
	l.end = sync.OnceFunc(func() {
		close(l.broken)
		_ = l.near.Close()
		_ = l.far.Close()
	})
	w.mu.Lock()
	if w.listener != listener { // refused meanwhile
		l.end()
	}
	w.links[l] = struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.links, l)
	}()

	var up sync.WaitGroup
	up.Go(func() { w.pump(l, l.far, l.near) })
	w.pump(l, l.near, l.far)
	up.Wait()
}

// pump moves bytes from one end to the other until either has ended.
func (w *wire) pump(l *link, to, from *net.TCPConn) {
	defer l.end()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if delay := w.obstruct(l, from == l.far, n); delay > 0 {
			select {
			case <-time.After(delay):
			case <-l.broken:
			}
		}
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// obstruct waits while there is a hole, and returns the delay that applies after it to n
// bytes.
func (w *wire) obstruct(l *link, fromServer bool, n int) time.Duration {
	for {
		w.mu.Lock()
		t, lifted := w.trouble, w.lifted
		var delay time.Duration
		if fromServer && t.latency > 0 {
			delay = t.latency - t.jitter + time.Duration(w.rng.Int64N(int64(2*t.jitter)+1))
		}
		w.mu.Unlock()
		if t.rate > 0 {
			delay += time.Duration(n) * time.Second / time.Duration(t.rate)
		}
		if !t.hole {
			return delay
		}
		select {
		case <-lifted:
		case <-l.broken:
			return 0
		}
	}
}
