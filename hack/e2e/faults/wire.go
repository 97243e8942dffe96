package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A wire is a TCP proxy between one store and the API server that can be told
// to misbehave. It exists because toxiproxy, as a library, leaves goroutines
// behind when a toxic has ended a connection through which data flows, and
// resets only connections that were made after it was told to.
type wire struct {
	address  string
	upstream string
	accepted atomic.Int64 // connections
	broken   atomic.Int64 // connections that were cut, or ended by a limit
	pieces   atomic.Int64 // writes of a slice
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
	slice           int           // bytes at a time
	limit           int           // a connection ends after about so many bytes
	hole            bool          // nothing gets through any more, nor does the end of a connection
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
		if pause(ctx, 10*time.Millisecond) != nil {
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
			w.accepted.Add(1)
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
	budget := -1
	if limit := w.trouble.limit; limit > 0 {
		budget = limit/2 + w.rng.IntN(limit)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.links, l)
	}()

	var up sync.WaitGroup
	up.Go(func() { w.pump(l, l.far, l.near, -1) })
	w.pump(l, l.near, l.far, budget)
	up.Wait()
}

// pump moves bytes from one end to the other until either has ended or budget
// bytes have passed. A negative budget has no limit.
func (w *wire) pump(l *link, to, from *net.TCPConn, budget int) {
	defer l.end()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		t, delay := w.obstruct(l, from == l.far)
		if delay > 0 {
			select {
			case <-time.After(delay):
			case <-l.broken:
			}
		}
		if budget >= 0 {
			n = min(n, budget)
			budget -= n
		}
		writeErr := w.write(to, buf[:n], t.slice)
		if budget == 0 {
			w.broken.Add(1)
		}
		if err != nil || writeErr != nil || budget == 0 {
			return
		}
	}
}

// obstruct waits while there is a hole, and returns what applies after it.
func (w *wire) obstruct(l *link, fromServer bool) (trouble, time.Duration) {
	for {
		w.mu.Lock()
		t, lifted := w.trouble, w.lifted
		var delay time.Duration
		if fromServer && t.latency > 0 {
			delay = t.latency - t.jitter + time.Duration(w.rng.Int64N(int64(2*t.jitter)+1))
		}
		w.mu.Unlock()
		if !t.hole {
			return t, delay
		}
		select {
		case <-lifted:
		case <-l.broken:
			return trouble{}, 0
		}
	}
}

func (w *wire) write(to io.Writer, data []byte, slice int) error {
	if slice == 0 {
		_, err := to.Write(data)
		return err
	}
	for piece := range slices.Chunk(data, slice) {
		w.pieces.Add(1)
		if _, err := to.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// pause waits for d, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
