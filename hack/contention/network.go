package contention

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A Network is how long everything takes between clients and an API server. Every time
// varies by Jitter.
type Network struct {
	OneWay   time.Duration // from a client to the server, and back
	Handlers int           // how many requests the server handles side by side
	Handle   time.Duration // what the server does for a request, beside its commit
	Commit   time.Duration // etcd commits one version after the other; a conflict costs it nothing
	Fanout   time.Duration // from a commit until the server has sent it to the watches
	Jitter   float64       // 0.5: from half of the time to one and a half times
}

// Default is the network of the targets. A PUT that meets nobody takes 5 ms on it.
var Default = Network{
	OneWay: time.Millisecond, Handlers: 8, Handle: time.Millisecond, Commit: 2 * time.Millisecond, Fanout: 2 * time.Millisecond, Jitter: 0.5,
}

// Bare is how long a PUT that meets nobody takes on average.
func (n Network) Bare() time.Duration { return 2*n.OneWay + n.Handle + n.Commit }

// A server is the part of a network that all clients share.
type server struct {
	Network
	handlers chan struct{}
	etcd     chan struct{}
	slowed   func() float64 // by how much the server is slower than it was at first

	mu     sync.Mutex // protects random
	random *rand.Rand
}

func newServer(n Network, random *rand.Rand) *server {
	return &server{
		Network: n, random: random, slowed: func() float64 { return 1 },
		handlers: make(chan struct{}, n.Handlers), etcd: make(chan struct{}, 1),
	}
}

// vary returns d, a little more or less.
func (s *server) vary(d time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(float64(d) * (1 + s.Jitter*(2*s.random.Float64()-1)))
}

// sleep waits for about d. It returns early if ctx ends.
func (s *server) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(s.vary(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A wire connects one client to the server.
type wire struct {
	server *server
	next   http.RoundTripper
	oneWay time.Duration
	count  func(method string, status int) // called when the server has decided
}

// CancelRequest has nothing to do: requests end with their contexts. Client-go logs an
// error about a transport without it.
func (w *wire) CancelRequest(*http.Request) {}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	s, ctx := w.server, r.Context()
	s.sleep(ctx, w.oneWay)
	s.handlers <- struct{}{}
	s.sleep(ctx, time.Duration(float64(s.Handle)*s.slowed()))
	<-s.handlers
	if r.Method == http.MethodGet {
		response, err := w.next.RoundTrip(r)
		if err == nil && r.URL.Query().Get("watch") != "" {
			response.Body = w.delay(ctx, response.Body)
		}
		s.sleep(ctx, w.oneWay)
		return response, err
	}
	s.etcd <- struct{}{}
	response, err := w.next.RoundTrip(r)
	if err == nil {
		w.count(r.Method, response.StatusCode)
	}
	if err == nil && response.StatusCode < http.StatusMultipleChoices {
		s.sleep(ctx, time.Duration(float64(s.Commit)*s.slowed()))
	}
	<-s.etcd
	s.sleep(ctx, w.oneWay)
	return response, err
}

// A frame is one event of a watch, and when it arrives.
type frame struct {
	line []byte
	at   time.Time
}

// delay returns the body of a watch whose events take their time, and stay in order.
func (w *wire) delay(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	frames := make(chan frame, 1<<12)
	reader, writer := io.Pipe()
	go func() {
		defer close(frames)
		lines := bufio.NewReader(body)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			delay := w.server.vary(time.Duration(float64(w.server.Fanout)*w.server.slowed())) + w.server.vary(w.oneWay)
			frames <- frame{line, time.Now().Add(delay)}
		}
	}()
	go func() {
		defer writer.Close() //nolint:errcheck // always nil
		for f := range frames {
			time.Sleep(time.Until(f.at))
			if _, err := writer.Write(f.line); err != nil {
				break
			}
		}
		for range frames { // let the reader of the body go on until it ends
		}
	}()
	return &delayed{reader, body}
}

// A delayed is the body of a watch. Closing it ends the watch.
type delayed struct {
	*io.PipeReader
	body io.Closer
}

func (d *delayed) Close() error {
	d.PipeReader.Close()
	return d.body.Close()
}

func (n Network) String() string {
	return fmt.Sprintf("one way %v, %d handlers of %v, commits of %v, watches after %v, ± %.0f %%", n.OneWay, n.Handlers, n.Handle, n.Commit, n.Fanout, 100*n.Jitter)
}
