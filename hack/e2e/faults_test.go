package e2e

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// errLost is what a client sees when its connection breaks before the answer.
var errLost = errors.New("injected: the connection was reset")

// A network is what lies between one client and the API server. It counts
// requests, and can be told to lose some.
type network struct {
	http.RoundTripper
	puts, gets, watches, others atomic.Int64

	mu      sync.Mutex // protects all below
	before  func(*http.Request) (*http.Response, error)
	after   func(*http.Request, *http.Response) (*http.Response, error)
	delayed chan struct{} // watches bring nothing until it is closed; nil: no delay
}

// delayWatches holds back what watches bring until the returned function is
// called.
func (n *network) delayWatches() (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delayed = make(chan struct{})
	return sync.OnceFunc(func() { close(n.delayed) })
}

// A delayedBody is what a watch brings.
type delayedBody struct {
	io.ReadCloser
	n *network
}

func (b delayedBody) Read(p []byte) (int, error) {
	count, err := b.ReadCloser.Read(p)
	b.n.mu.Lock()
	delayed := b.n.delayed
	b.n.mu.Unlock()
	if delayed != nil {
		<-delayed
	}
	return count, err
}

// through puts the network between a store and the API server.
func (n *network) through(config *rest.Config, _ *mapstore.Options) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		n.RoundTripper = next
		return n
	})
}

// onRequest sets what happens to requests before they are sent; a nil response
// and error let one through.
func (n *network) onRequest(fn func(*http.Request) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = fn
}

// onAnswer sets what happens to answers.
func (n *network) onAnswer(fn func(*http.Request, *http.Response) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.after = fn
}

func (n *network) faults() (before func(*http.Request) (*http.Response, error), after func(*http.Request, *http.Response) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.before, n.after
}

func (n *network) RoundTrip(request *http.Request) (*http.Response, error) {
	switch {
	case request.Method == http.MethodPut:
		n.puts.Add(1)
	case request.URL.Query().Get("watch") != "":
		n.watches.Add(1)
		response, err := n.RoundTripper.RoundTrip(request)
		if err == nil {
			response.Body = delayedBody{response.Body, n}
		}
		return response, err
	case request.Method == http.MethodGet:
		n.gets.Add(1)
	default:
		n.others.Add(1)
	}
	before, after := n.faults()
	if before != nil {
		if response, err := before(request); response != nil || err != nil {
			if request.Body != nil {
				request.Body.Close()
			}
			return response, err
		}
	}
	response, err := n.RoundTripper.RoundTrip(request)
	if err == nil && after != nil {
		return after(request, response)
	}
	return response, err
}

// losing loses the answers to a share of the PUTs, after they were committed.
func losing(share float64) func(*http.Request, *http.Response) (*http.Response, error) {
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || rand.Float64() >= share {
			return response, nil
		}
		drain(response)
		return nil, errLost
	}
}

// busyAfter replaces the answers to a share of the PUTs, after they were
// committed, by one that makes client-go send the request again by itself.
func busyAfter(share float64) func(*http.Request, *http.Response) (*http.Response, error) {
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || rand.Float64() >= share {
			return response, nil
		}
		drain(response)
		return &http.Response{
			Status:     "503 Service Unavailable",
			StatusCode: http.StatusServiceUnavailable,
			Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:  http.Header{"Retry-After": {"0"}},
			Body:    http.NoBody,
			Request: request,
		}, nil
	}
}

func drain(response *http.Response) {
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

// blockedIn counts the goroutines that are inside a function.
func blockedIn(function string) int {
	buf := make([]byte, 8<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), function+"(")
}
