// Package wire is a TCP proxy that can be told to misbehave: it lies between a client and
// its server in tests. It exists because toxiproxy, as a library, leaves goroutines behind
// when a toxic has ended a connection through which data flows, and resets only connections
// that were made after it was told to.
package wire

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Wire leads to one server.
type Wire struct {
	Broken atomic.Int64 // connections that were cut

	address  string
	upstream string
	tasks    sync.WaitGroup

	mu       sync.Mutex // protects all below
	listener net.Listener
	links    map[*link]struct{}
	trouble  Trouble
	lifted   chan struct{} // closed when trouble is replaced
	rng      *rand.Rand
}

// Trouble is what happens to the bytes of each connection. The zero value lets
// them through.
type Trouble struct {
	Latency, Jitter time.Duration // before each read's worth of bytes that the server sends
	Hole            bool          // nothing gets through any more, nor does the end of a connection
	Rate            int           // bytes a second each way; 0: no limit
}

// A link is one connection from the client on to the server.
type link struct {
	near, far *net.TCPConn
	broken    chan struct{} // closed with both
	end       func()
}

// New starts a wire to a server at host:port. The generator draws the jitter.
func New(upstream string, rng *rand.Rand) (*Wire, error) {
	w := &Wire{upstream: upstream, links: make(map[*link]struct{}), lifted: make(chan struct{}), rng: rng}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.address = listener.Addr().String()
	w.serve(listener)
	return w, nil
}

// Address returns the host:port at which the wire takes connections.
func (w *Wire) Address() string { return w.address }

// Set replaces the trouble. What a hole has held back goes on its way then,
// late, as it does when a network is mended.
func (w *Wire) Set(t Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = t
	close(w.lifted)
	w.lifted = make(chan struct{})
}

// Refuse closes all connections and makes new ones be refused, until Restore.
func (w *Wire) Refuse() {
	w.mu.Lock()
	listener := w.listener
	w.listener = nil
	w.mu.Unlock()
	if listener != nil {
		listener.Close()
	}
	w.Cut(false)
}

// Restore accepts connections again, at the same address.
func (w *Wire) Restore(ctx context.Context) error {
	var config net.ListenConfig
	for {
		listener, err := config.Listen(ctx, "tcp", w.address)
		if err == nil {
			w.serve(listener)
			return nil
		}
		// An outgoing connection of some process can have the port for a moment.
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Cut closes all connections, by a TCP reset if asked to.
func (w *Wire) Cut(reset bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.links {
		if reset {
			_ = l.near.SetLinger(0)
			_ = l.far.SetLinger(0)
		}
		l.end()
		w.Broken.Add(1)
	}
}

// Close ends the wire; nothing of it is running when it returns.
func (w *Wire) Close() {
	w.Refuse()
	w.tasks.Wait()
}

func (w *Wire) serve(listener net.Listener) {
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

func (w *Wire) carry(listener net.Listener, near *net.TCPConn) {
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
func (w *Wire) pump(l *link, to, from *net.TCPConn) {
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
func (w *Wire) obstruct(l *link, fromServer bool, n int) time.Duration {
	for {
		w.mu.Lock()
		t, lifted := w.trouble, w.lifted
		var delay time.Duration
		if fromServer && t.Latency > 0 {
			delay = t.Latency - t.Jitter + time.Duration(w.rng.Int64N(int64(2*t.Jitter)+1))
		}
		w.mu.Unlock()
		if t.Rate > 0 {
			delay += time.Duration(n) * time.Second / time.Duration(t.Rate)
		}
		if !t.Hole {
			return delay
		}
		select {
		case <-lifted:
		case <-l.broken:
			return 0
		}
	}
}
