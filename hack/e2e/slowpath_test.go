package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A slowPath is a TCP proxy that delays what its target says, and nothing else: the
// rate stays. Toxiproxy does that too, and as a library leaves goroutines behind when
// a delayed connection ends.
type slowPath struct {
	target string
	lag    atomic.Int64  // of time.Duration
	ended  chan struct{} // closed at the end of the test
	tasks  sync.WaitGroup
}

// newSlowPath returns the address of a proxy in front of target, and a function that
// sets the delay. It ends with the test.
func newSlowPath(t *testing.T, target string) (address string, slow func(time.Duration)) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &slowPath{target: target, ended: make(chan struct{})}
	p.tasks.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		close(p.ended)
		listener.Close()
		p.tasks.Wait()
	})
	return listener.Addr().String(), func(lag time.Duration) { p.lag.Store(int64(lag)) }
}

func (p *slowPath) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	over := make(chan struct{}) // one side has ended, or the test
	end := sync.OnceFunc(func() { close(over) })
	pieces := make(chan piece, 1<<12)
	p.tasks.Go(func() {
		defer end()
		_, _ = io.Copy(server, client)
	})
	p.tasks.Go(func() {
		defer close(pieces)
		p.read(server, pieces, over)
	})
	p.tasks.Go(func() {
		defer end()
		deliver(client, pieces, over)
	})
	select {
	case <-over:
	case <-p.ended:
		end()
	}
}

// A piece is what one read brought, and when it is to be passed on.
type piece struct {
	bytes []byte
	due   time.Time
}

func (p *slowPath) read(server net.Conn, pieces chan<- piece, over <-chan struct{}) {
	for {
		buffer := make([]byte, 16<<10)
		n, err := server.Read(buffer)
		select {
		case pieces <- piece{buffer[:n], time.Now().Add(time.Duration(p.lag.Load()))}:
		case <-over:
			return
		}
		if err != nil {
			return
		}
	}
}

func deliver(client net.Conn, pieces <-chan piece, over <-chan struct{}) {
	for {
		select {
		case next, open := <-pieces:
			if !open {
				return
			}
			select {
			case <-time.After(time.Until(next.due)):
			case <-over:
				return
			}
			if _, err := client.Write(next.bytes); err != nil {
				return
			}
		case <-over:
			return
		}
	}
}
