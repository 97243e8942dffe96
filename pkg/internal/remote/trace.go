package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Timeouts bound the silence in which a request is waited for. They do not bound
// the time before the client asks for a connection, as in its rate limit, and leave
// a transfer that is under way more time.
type Timeouts struct {
	Connect   time.Duration // from asking for a connection until there is one
	FirstByte time.Duration // from then on until the answer begins
}

var (
	// Once is for a caller who needs the answer and does not ask again by itself.
	Once = Timeouts{10 * time.Second, 10 * time.Second}

	// Again is for a caller who asks again and again until the server can be followed.
	// It does not wait long for a connection: when a network has healed, the next
	// attempt must not be late because the one before waits for what was lost.
	Again = Timeouts{2 * time.Second, 5 * time.Second}

	// forWrites is longer: a server can need many seconds for a map of many thousand
	// keys.
	forWrites = Timeouts{10 * time.Second, 20 * time.Second}
)

// transfer is how long an answer may take from its beginning to its end. At 100 kB/s
// the largest map takes 16 seconds.
const transfer = 2 * time.Minute

var (
	errUnreachable = errors.New("no connection to the API server")
	errSilent      = errors.New("no answer from the API server")
	errSlow        = errors.New("no end of the API server's answer")
)

// IsOurs reports whether the text of err is this package's.
func IsOurs(err error) bool {
	return slices.ContainsFunc([]error{errUnreachable, errSilent, errSlow, errThrottled, errPreparing, errAnother}, func(ours error) bool { return errors.Is(err, ours) })
}

// A tracer follows one request on its way through the transport, and ends it when
// there is silence for too long.
type tracer struct {
	m        *Map
	timeouts Timeouts
	cancel   context.CancelCauseFunc
	gate     *gate // nil for what only reads

	mu     sync.Mutex // protects all below
	traced bool       // the transport has asked for a connection
	timer  *time.Timer
}

func (t *tracer) with(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) {
			t.mu.Lock()
			t.traced = true
			t.mu.Unlock()
			t.bound(t.timeouts.Connect, errUnreachable)
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.bound(t.timeouts.FirstByte, errSilent)
			if t.gate != nil && !t.gate.connected(t.m.traces) && info.Conn != nil {
				info.Conn.Close() // nothing else keeps the transport from writing the request
			}
		},
		GotFirstResponseByte: func() { t.bound(transfer, errSlow) },
	})
}

// begin notes that the client has the request. Where the transport does not tell when
// it asks for a connection, the clock starts now.
func (t *tracer) begin() {
	if !t.m.traces {
		t.bound(t.timeouts.FirstByte, errSilent)
	}
}

// bound ends the request after a time, unless it is bound anew or ends before.
func (t *tracer) bound(limit time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timer = time.AfterFunc(limit, func() { t.cancel(fmt.Errorf("%w within %v", err, limit)) })
}

// end notes that the client has returned.
func (t *tracer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// explain adds to an error why the request was ended.
func (t *tracer) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errUnreachable) || errors.Is(cause, errSilent) || errors.Is(cause, errSlow) {
		t.m.HangUp()
		if !errors.Is(err, cause) {
			return fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if cause != nil && !t.traced && t.m.traces && !errors.Is(err, errThrottled) {
		return fmt.Errorf("%w: %w", errPreparing, err)
	}
	return err
}

// A gate is whether a request that writes may go, and whether it has gone.
type gate struct {
	allow func() bool

	mu          sync.Mutex // protects all below
	sent        int        // how often it has gone
	connections int        // how often it has had one
	withheld    bool
	closed      bool // its call has returned
}

// pass asks for leave to send the request.
func (d *gate) pass() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed || d.withheld:
	case d.allow():
		d.sent++
		return true
	}
	d.withheld = true
	return false
}

// connected notes that the request has a connection. Where that is the moment at which
// it is sent, it asks for leave.
func (d *gate) connected(sending bool) bool {
	d.mu.Lock()
	d.connections++
	d.mu.Unlock()
	return !sending || d.pass()
}

// close lets the request go no more.
func (d *gate) close() (sent, connections int, withheld bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.sent, d.connections, d.withheld
}

// isTracing reports whether the client's requests go through net/http's own transport
// and nothing in front of it that is unknown: then it can be believed that a request
// that has got no connection was not sent.
func isTracing(client rest.Interface) bool {
	direct, ok := client.(*rest.RESTClient)
	if !ok || direct == nil {
		return false
	}
	transport := http.DefaultTransport
	if direct.Client != nil && direct.Client.Transport != nil {
		transport = direct.Client.Transport
	}
	for {
		switch t := transport.(type) {
		case *http.Transport:
			return true
		case interface{ WrappedRoundTripper() http.RoundTripper }:
			transport = t.WrappedRoundTripper()
		default:
			return false
		}
	}
}
