package rig

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// ErrLost is what a client sees when its connection breaks before the answer.
var ErrLost = errors.New("injected: the connection was reset")

// A Network lies between one client and the API server. The zero value lets
// everything through, and counts it.
type Network struct {
	Writes  atomic.Int64 // requests to change something
	Watches atomic.Int64 // requests to watch
	Gone    atomic.Int64 // watches that the server refused: their revision has expired

	next http.RoundTripper

	mu     sync.Mutex // protects all below
	before func(*http.Request) (*http.Response, error)
	after  func(*http.Request, *http.Response) (*http.Response, error)
	route  *Client // nil: the client's own
	open   map[*watchBody]struct{}
	held   chan struct{} // watches bring nothing until it is closed; nil: they are not held
}

func (n *Network) through(next http.RoundTripper) http.RoundTripper {
	n.next = next
	return n
}

// OnRequest sets what happens to requests before they are sent; a nil response
// and error let one through. A nil function ends it.
func (n *Network) OnRequest(fn func(*http.Request) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = fn
}

// OnAnswer sets what happens to answers; a nil function ends it.
func (n *Network) OnAnswer(fn func(*http.Request, *http.Response) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.after = fn
}

// Route sends requests where another client's go; nil: where their own does.
func (n *Network) Route(to *Client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.route = to
}

// Hold holds back what watches bring, those that are open and those to come, until
// it is called off. Everything else goes on.
func (n *Network) Hold(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held != nil {
		close(n.held)
		n.held = nil
	}
	if on {
		n.held = make(chan struct{})
	}
}

// EndWatches ends the watches that are open, as a server does from time to time.
func (n *Network) EndWatches() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for body := range n.open {
		body.end()
	}
}

// IsWatch reports whether a request opens a watch.
func IsWatch(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }

// RoundTrip implements http.RoundTripper.
func (n *Network) RoundTrip(request *http.Request) (*http.Response, error) {
	n.mu.Lock()
	before, after, route := n.before, n.after, n.route
	n.mu.Unlock()
	switch {
	case IsWatch(request):
		n.Watches.Add(1)
	case request.Method != http.MethodGet:
		n.Writes.Add(1)
	}
	if before != nil {
		if response, err := before(request); response != nil || err != nil {
			if request.Body != nil {
				request.Body.Close()
			}
			return response, err
		}
	}
	response, err := n.send(request, route)
	if err == nil && IsWatch(request) {
		n.follow(response)
	}
	if err == nil && after != nil {
		return after(request, response)
	}
	return response, err
}

func (n *Network) send(request *http.Request, route *Client) (*http.Response, error) {
	if route == nil {
		return n.next.RoundTrip(request)
	}
	server, err := url.Parse(route.host)
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.URL.Host = server.Host
	return route.transport.RoundTrip(request)
}

// follow takes charge of what a watch brings.
func (n *Network) follow(response *http.Response) {
	if response.StatusCode == http.StatusGone {
		n.Gone.Add(1)
	}
	body := &watchBody{ReadCloser: response.Body, network: n, ended: make(chan struct{})}
	body.end = sync.OnceFunc(func() {
		close(body.ended)
		body.ReadCloser.Close()
	})
	response.Body = body
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open == nil {
		n.open = make(map[*watchBody]struct{})
	}
	n.open[body] = struct{}{}
}

// A watchBody is what a watch brings.
type watchBody struct {
	io.ReadCloser
	network *Network
	ended   chan struct{} // closed by end
	end     func()
}

func (b *watchBody) Read(p []byte) (int, error) {
	count, err := b.ReadCloser.Read(p)
	b.network.mu.Lock()
	held := b.network.held
	b.network.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-b.ended:
		}
	}
	select {
	case <-b.ended:
		return 0, io.EOF
	default:
	}
	// The server reports an expired revision by an event in a watch that has begun.
	if bytes.Contains(p[:count], []byte("too old")) {
		b.network.Gone.Add(1)
	}
	return count, err
}

func (b *watchBody) Close() error {
	b.end()
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	delete(b.network.open, b)
	return nil
}
