package remote

import (
	"cmp"
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

// Timeouts bound how long a request may hear nothing. They do not bound the time before
// the client asks for a connection, such as the wait for its rate limit. A transfer that
// is under way has more time.
type Timeouts struct {
	Connect   time.Duration // from asking for a connection until there is one
	FirstByte time.Duration // from there until the answer begins
}

var (
	// Once is for a caller who needs the answer and does not ask again.
	Once = Timeouts{10 * time.Second, 10 * time.Second}

	// Again is for a caller who asks again and again until the server can be followed.
	// It does not wait long for a connection: once a network works again, an attempt
	// that waits for packets that were lost must not delay the next one.
	Again = Timeouts{2 * time.Second, 5 * time.Second}

	// Probe is for a caller who only wants to know whether the server answers.
	Probe = Timeouts{time.Second, time.Second}

	// forWrites is longer: a server can need many seconds for a map with thousands of
	// keys.
	forWrites = Timeouts{10 * time.Second, 20 * time.Second}
)

const (
	// slowest is how many bytes a second a link must carry.
	slowest = 10_000

	// transfer is how long an answer may take from its first byte to its last: the
	// largest map takes almost three minutes on the slowest link.
	transfer = 3 * time.Minute

	// quietAfter is how long a request that was sent is unanswered before it counts as
	// quiet.
	quietAfter = time.Second
)

// sendingTime is how long a link may take for so many bytes.
func sendingTime(bytes int) time.Duration { return time.Duration(bytes) * time.Second / slowest }

var (
	errUnreachable = errors.New("no connection to the API server")
	errSilent      = errors.New("no answer from the API server")
	errSlow        = errors.New("no end of the API server's answer")
)

// These say what a request waits for, in the order in which it does.
var (
	// ErrThrottled is exported because it is worth telling even beside another error.
	ErrThrottled  = errors.New("waiting for the client's rate limit, which QPS and Burst of its rest.Config set")
	errPreparing  = errors.New("the client has not asked for a connection yet; it may be waiting for credentials")
	errConnecting = errors.New("waiting for a connection to the API server")
	errUnanswered = errors.New("waiting for the API server's answer")
)

// IsOurs reports whether err has an error of this package in its chain.
func IsOurs(err error) bool {
	return slices.ContainsFunc([]error{
		errUnreachable, errSilent, errSlow, ErrThrottled, errPreparing, errConnecting, errUnanswered, errOtherObject,
	}, func(ours error) bool { return errors.Is(err, ours) })
}

// A tracer follows one request through the transport, and ends it after too long a
// silence.
type tracer struct {
	m        *Map
	timeouts Timeouts
	cancel   context.CancelCauseFunc
	gate     *gate         // nil for a request that only reads
	sending  time.Duration // how long it may take to send the request
	quiet    func()        // called if the request is quiet; nil if nobody cares

	mu    sync.Mutex // protects all below
	waits error      // what the request waits for now
	ended bool       // the client has returned
	timer *time.Timer
	hush  *time.Timer // calls quiet
}

// with returns ctx with the tracer in it.
func (t *tracer) with(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) {
			t.waitFor(errConnecting)
			t.bound(t.timeouts.Connect, errUnreachable)
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.sent()
			if t.gate != nil && !t.gate.connected(t.m.traces) && info.Conn != nil {
				info.Conn.Close() // the only way to stop the transport from writing the request
			}
		},
		GotFirstResponseByte: t.answered,
	})
}

// begin notes that the client has the request. If the transport does not report when it
// asks for a connection, the time limit starts now.
func (t *tracer) begin() {
	if t.m.traces {
		t.waitFor(errPreparing)
	} else {
		t.sent()
	}
}

// sent notes that the client sends the request from now on.
func (t *tracer) sent() {
	t.waitFor(errUnanswered)
	t.bound(t.timeouts.FirstByte+t.sending, errSilent)
	if t.quiet != nil {
		t.after(&t.hush, quietAfter+t.sending, func() { t.m.calls.Go(t.quiet) })
	}
}

func (t *tracer) waitFor(what error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits = what
}

// waitsFor returns what the request waits for now.
func (t *tracer) waitsFor() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waits
}

// bound ends the request with err after limit, unless bound is called again or the
// request ends before.
func (t *tracer) bound(limit time.Duration, err error) {
	t.after(&t.timer, limit, func() { t.cancel(fmt.Errorf("%w within %v", err, limit)) })
}

// after calls fn after d in place of what *timer was to call, unless the client has
// returned by then.
func (t *tracer) after(timer **time.Timer, d time.Duration, fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopLocked(timer)
	if t.ended {
		return
	}
	var this *time.Timer
	this = time.AfterFunc(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if *timer == this {
			fn()
		}
	})
	*timer = this
}

func (t *tracer) stopLocked(timer **time.Timer) {
	if *timer != nil {
		(*timer).Stop()
		*timer = nil
	}
}

// answered notes that the answer begins.
func (t *tracer) answered() {
	t.bound(transfer, errSlow)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopLocked(&t.hush)
}

// end notes that the client has returned.
func (t *tracer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.stopLocked(&t.timer)
	t.stopLocked(&t.hush)
}

// explain adds to err why the request was ended, or what it was waiting for.
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
	if waits := t.waitsFor(); cause != nil && !isAnswer(err) && !errors.Is(err, waits) {
		return fmt.Errorf("%w: %w", waits, err)
	}
	return err
}

// follow makes the request one of those that [Map.WaitsFor] asks, until done is called.
func (m *Map) follow(t *tracer) (done func()) {
	t.waits = errPreparing
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, t)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.pending = slices.DeleteFunc(m.pending, func(other *tracer) bool { return other == t })
	}
}

// WaitsFor returns what the oldest request under way waits for, among those that write or
// those that read; nil if there is none.
func (m *Map) WaitsFor(writing bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.pending {
		if (t.timeouts == forWrites) == writing {
			return t.waitsFor()
		}
	}
	return nil
}

// FollowedBy returns what was met before, and what is waited for now. Either may be nil.
func FollowedBy(before, now error) error {
	if before == nil || now == nil {
		return cmp.Or(before, now)
	}
	return fmt.Errorf("%w; now %w", before, now)
}

// A gate decides whether a request that writes may be sent, and counts how often it was.
type gate struct {
	allow func() bool

	mu          sync.Mutex // protects all below
	sent        int        // how often the request was sent
	connections int        // how often it got a connection
	withheld    bool       // it was stopped at least once
	closed      bool       // the call that made it has returned
}

// pass reports whether the request may be sent now.
func (g *gate) pass() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed || g.withheld:
	case g.allow():
		g.sent++
		return true
	}
	g.withheld = true
	return false
}

// connected notes that the request has a connection. If sending says that it is sent at
// this moment, connected reports whether it may be.
func (g *gate) connected(sending bool) bool {
	g.mu.Lock()
	g.connections++
	g.mu.Unlock()
	return !sending || g.pass()
}

// close stops the request from being sent any more.
func (g *gate) close() (sent, connections int, withheld bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.sent, g.connections, g.withheld
}

// isTracing reports whether the client's requests go through net/http's own transport,
// with nothing unknown in front of it. Only then a request without a connection is
// certain not to have been sent.
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
