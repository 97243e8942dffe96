package main

import (
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// A front is an HTTP/2 reverse proxy between one store and the API server, as a
// load balancer is. It authenticates its clients' requests itself, so that they
// need nothing but its address and certificate.
type front struct {
	server *httptest.Server
	proxy  *httputil.ReverseProxy

	hits    atomic.Int64 // requests that were tampered with
	muted   atomic.Int64 // watches that were muted
	waiting atomic.Int64 // requests that wait at the gate
	gone    atomic.Int64 // watches that were answered by 410

	mu      sync.Mutex // protects all below
	rng     *rand.Rand
	path    *path
	tamper  tamper
	watches map[*watchBody]struct{}
	mute    bool
	gate    chan struct{} // openings of watches wait until it is closed; nil: they do not
}

// A tamper is what becomes of a share of the writes. The zero value does nothing.
type tamper struct {
	share      float64
	landed     bool   // the server has carried out what is answered in this way
	statuses   []int  // of the answer, one of them; none: there is no answer, and the stream breaks
	retryAfter bool   // the answer makes client-go send the request again by itself
	behind     func() // happens right behind what has landed; nil: nothing does
}

// A path is a way to one API server.
type path struct {
	url       *url.URL
	transport http.RoundTripper
	dialer    *connrotation.Dialer
}

func newPath(config *rest.Config) (*path, error) {
	config = rest.CopyConfig(config)
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: 10 * time.Second}).DialContext)
	config.Dial = dialer.DialContext
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(config.Host)
	return &path{address, transport, dialer}, err
}

func (p *path) close() {
	utilnet.CloseIdleConnectionsFor(p.transport)
	p.dialer.CloseAll()
}

func newFront(p *path, rng *rand.Rand) *front {
	f := &front{path: p, rng: rng, watches: make(map[*watchBody]struct{})}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(f.current().url) },
		Transport:      roundTripper(func(r *http.Request) (*http.Response, error) { return f.current().transport.RoundTrip(r) }),
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0),
		ModifyResponse: f.onResponse,
	}
	f.server = httptest.NewUnstartedServer(f)
	f.server.EnableHTTP2 = true
	f.server.Config.ErrorLog = f.proxy.ErrorLog
	f.server.StartTLS()
	return f
}

type roundTripper func(*http.Request) (*http.Response, error)

func (fn roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return fn(r) }

func (f *front) config() *rest.Config {
	return &rest.Config{
		Host:            f.server.URL,
		TLSClientConfig: rest.TLSClientConfig{CAData: encodeCertificate(f.server.Certificate())},
		QPS:             -1,
	}
}

func (f *front) current() *path {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.path
}

// switchTo sends requests another way, and breaks what goes the present one.
func (f *front) switchTo(p *path) {
	f.mu.Lock()
	before := f.path
	f.path = p
	f.mu.Unlock()
	before.dialer.CloseAll()
}

func (f *front) setTamper(t tamper) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tamper = t
}

// muteWatches makes the watches that are open bring nothing any more, for good,
// and so those that are opened until it is called off. Everything else goes on.
func (f *front) muteWatches(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute = on
	if on {
		for body := range f.watches {
			body.mute()
		}
	}
}

// holdWatches makes each new watch wait before it reaches the server, until the
// returned function is called.
func (f *front) holdWatches() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	f.gate = gate
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.gate = nil
		close(gate)
	})
}

// endWatches ends the watches that are open, as a server does from time to time.
func (f *front) endWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for body := range f.watches {
		body.end()
	}
}

// close ends the front; the store must be closed before.
func (f *front) close() {
	f.endWatches()
	f.server.CloseClientConnections()
	f.server.Close()
	f.current().close()
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	tamper, gate := f.tamper, f.gate
	isWrite := r.Method == http.MethodPut || r.Method == http.MethodPatch
	hit := isWrite && f.rng.Float64() < tamper.share
	status := 0
	if len(tamper.statuses) > 0 {
		status = tamper.statuses[f.rng.IntN(len(tamper.statuses))]
	}
	f.mu.Unlock()
	if isWatch(r) && gate != nil {
		f.waiting.Add(1)
		defer f.waiting.Add(-1)
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	if !hit {
		f.proxy.ServeHTTP(w, r)
		return
	}
	f.hits.Add(1)
	if tamper.landed {
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	if tamper.behind != nil {
		tamper.behind()
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	if tamper.retryAfter {
		w.Header().Set("Retry-After", "0")
	}
	w.WriteHeader(status)
}

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }
