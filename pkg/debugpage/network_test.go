package debugpage_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A host serves a page over a network in memory, which a bubble of synctest can see.
type host struct {
	*testing.T
	http.Server
	transport http.Transport
	dialed    chan net.Conn
	streams   atomic.Int32 // live requests that have not returned
}

func serve(t *testing.T, page http.Handler, change ...func(*host)) *host {
	t.Helper()
	h := &host{T: t, dialed: make(chan net.Conn)}
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "live" {
			h.streams.Add(1)
			defer h.streams.Add(-1)
		}
		page.ServeHTTP(w, r)
	})
	h.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return h.dial(), nil }
	for _, c := range change {
		c(h)
	}
	go h.Serve(h) //nolint:errcheck // until Close
	t.Cleanup(func() {
		_ = h.Server.Close()
		h.transport.CloseIdleConnections()
	})
	return h
}

// protocol has server and browsers speak version 1 or 2 of HTTP.
func protocol(version int) func(*host) {
	return func(h *host) {
		var protocols http.Protocols
		protocols.SetHTTP1(version == 1)
		protocols.SetUnencryptedHTTP2(version == 2)
		h.Protocols, h.transport.Protocols = &protocols, &protocols
	}
}

func (h *host) dial() net.Conn {
	browser, server := net.Pipe()
	h.dialed <- server
	return browser
}

// Accept, Close and Addr make it the server's net.Listener.
func (h *host) Accept() (net.Conn, error) {
	if conn, ok := <-h.dialed; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (h *host) Close() error {
	close(h.dialed)
	return nil
}

func (h *host) Addr() net.Addr { return &net.TCPAddr{} }

// A viewer is a browser that follows the page.
type viewer struct {
	*testing.T
	response *http.Response
	lines    *bufio.Scanner
	leave    context.CancelFunc
	bytes    int
}

func (h *host) follow(url string) *viewer {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), 5*time.Minute) // of the bubble's clock
	h.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://page"+url, nil)
	if err != nil {
		h.Fatal(err)
	}
	response, err := h.transport.RoundTrip(r)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = response.Body.Close() })
	return &viewer{T: h.T, response: response, lines: bufio.NewScanner(response.Body), leave: cancel}
}

// next returns the next event. The name is empty at the stream's end.
func (v *viewer) next() (name, html string) {
	for v.lines.Scan() {
		line := v.lines.Text()
		v.bytes += len(line) + 1
		switch {
		case line == "" && name != "":
			return name, html
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			html += line[len("data: "):] + "\n"
		case line != "":
			v.Errorf("%q is no line of an event stream", line)
		}
	}
	return "", ""
}

// part returns the next event of a name.
func (v *viewer) part(want string) string {
	v.Helper()
	for {
		name, html := v.next()
		if name == want {
			return html
		}
		if name == "" {
			v.Fatalf("the stream ends without %q: %v", want, v.lines.Err())
		}
	}
}

// drain reads until the server ends the stream.
func (v *viewer) drain() {
	v.Helper()
	for name, _ := v.next(); name != ""; name, _ = v.next() {
	}
	if err := v.response.Request.Context().Err(); err != nil {
		v.Errorf("the server has not ended the stream: %v", err)
	}
}
