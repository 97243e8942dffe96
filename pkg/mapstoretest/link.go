package mapstoretest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
)

// A link is a client's connection to an API server, with the failures on it.
type link struct {
	next http.RoundTripper

	mu       sync.Mutex // protects all below, and the failures' counts
	failures []*Failure // oldest first
	streams  map[*stream]struct{}
	expire   chan struct{} // closed and replaced to expire the watches that are open
	closed   bool
}

func newLink(next http.RoundTripper) *link {
	return &link{next: next, streams: make(map[*stream]struct{}), expire: make(chan struct{})}
}

// through puts the link in front of another transport, before it is used.
func (l *link) through(next http.RoundTripper) http.RoundTripper {
	l.next = next
	return l
}

// RoundTrip lets the request meet the latest failure that is meant for it.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	verb := memapi.Verb(r)
	failure, control, closed := l.meet(verb)
	if closed {
		return nil, errRefused
	}
	r = r.WithContext(memapi.WithControl(r.Context(), control))
	var response *http.Response
	var err error
	if failure != nil && failure.fault.meet != nil {
		response, err = failure.fault.meet(failure, r, l.next)
	} else {
		response, err = l.next.RoundTrip(r)
	}
	if err == nil && verb == "watch" && response.StatusCode == http.StatusOK {
		response.Body = l.follow(r.Context(), response.Body)
	}
	return response, err
}

// CancelRequest has nothing to do: requests end with their contexts. Client-go logs
// an error about a transport without it when a watch ends with its client's timeout.
func (l *link) CancelRequest(*http.Request) {}

// meet returns what a request of the verb meets, and counts it.
func (l *link) meet(verb string) (met *Failure, control memapi.Control, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	control.Expire = l.expire
	for _, f := range slices.Backward(l.failures) {
		if met == nil && f.matches(verb) {
			met = f
		}
		if f.left < 0 || f == met { // rights that one request lacks are nobody else's
			control.Denied = append(control.Denied, f.denied()...)
		}
	}
	if met == nil {
		return nil, control, l.closed
	}
	met.met++
	if met.left > 0 {
		if met.left--; met.left == 0 {
			l.removeLocked(met)
		}
	}
	if met.fault.expires {
		gone := make(chan struct{})
		close(gone)
		control.Expire = gone
	}
	return met, control, l.closed
}

// add puts a failure in effect.
func (l *link) add(f *Failure) {
	l.mu.Lock()
	l.failures = append(l.failures, f)
	meetsOpen := f.left < 0 && f.matches("watch")
	if meetsOpen && f.fault.expires {
		close(l.expire)
		l.expire = make(chan struct{})
	}
	l.mu.Unlock()
	if meetsOpen && f.fault.breaks {
		l.breakStreams()
	}
}

func (l *link) remove(f *Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(f)
}

func (l *link) removeLocked(f *Failure) {
	l.failures = slices.DeleteFunc(l.failures, func(other *Failure) bool { return other == f })
}

// silence returns what silences the open watches: nil if nothing does.
func (l *link) silence() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range slices.Backward(l.failures) {
		if f.left < 0 && f.matches("watch") {
			if f.fault.hangs {
				return f.ended
			}
			return nil
		}
	}
	return nil
}

// breakStreams breaks the connections of the watches that are open.
func (l *link) breakStreams() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.streams {
		s.end(errReset)
	}
}

// close ends all that is under way, and refuses what comes.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	failures := slices.Clone(l.failures)
	l.mu.Unlock()
	for _, f := range failures {
		f.End()
	}
	l.breakStreams()
}

// A stream is the body of an open watch.
type stream struct {
	io.ReadCloser
	link *link
	ctx  context.Context //nolint:containedctx // the request's; ended also by the client and by failures
	end  context.CancelCauseFunc
}

func (l *link) follow(ctx context.Context, body io.ReadCloser) *stream {
	s := &stream{ReadCloser: body, link: l}
	s.ctx, s.end = context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[s] = struct{}{}
	if l.closed {
		s.end(errReset)
	}
	context.AfterFunc(s.ctx, func() {
		l.mu.Lock()
		delete(l.streams, s)
		l.mu.Unlock()
		body.Close()
	})
	return s
}

// Read waits for as long as a failure silences the watch.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	for {
		silence := s.link.silence()
		if s.ctx.Err() != nil {
			return 0, context.Cause(s.ctx)
		}
		if silence == nil {
			return n, err
		}
		select {
		case <-silence:
		case <-s.ctx.Done():
		}
	}
}

// Close ends the watch.
func (s *stream) Close() error {
	s.end(io.ErrClosedPipe)
	return nil
}
