package debugpage_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
)

// A host serves a page over a network.
type host struct {
	*httptest.Server
	streams atomic.Int32 // live requests that have not returned
}

func serve(t *testing.T, page http.Handler, change ...func(*httptest.Server)) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "live" {
			h.streams.Add(1)
			defer h.streams.Add(-1)
		}
		page.ServeHTTP(w, r)
	}))
	for _, c := range change {
		c(h.Server)
	}
	if h.TLS != nil || h.EnableHTTP2 {
		h.StartTLS()
	} else {
		h.Start()
	}
	t.Cleanup(h.Close)
	return h
}

// A viewer is a browser that follows the page.
type viewer struct {
	*testing.T
	response *http.Response
	lines    *bufio.Scanner
	leave    context.CancelFunc
	bytes    int
}

func (h *host) follow(t *testing.T, url string) *viewer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := h.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &viewer{T: t, response: response, lines: bufio.NewScanner(response.Body), leave: cancel}
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
		case line != "" && line != ":":
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

func TestAChangeIsSentWithinASecond(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	viewer := serve(t, s.page(debugpage.Options{})).follow(t, "/?format=live&prefix=k")
	if got := viewer.response.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	for range 5 {
		name, _ := viewer.next()
		if name == "" {
			t.Fatal("the stream ends at once")
		}
	}
	for i := range 3 {
		key := fmt.Sprintf("k%d", i)
		start := time.Now()
		s.set(key, "v")
		for !strings.Contains(viewer.part("keys"), ">"+key+"<") {
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the change came after %v", took)
		}
	}
}

func TestOnlyWhatDiffersIsSent(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	viewer := serve(t, s.page(debugpage.Options{})).follow(t, "/?format=live")
	var names []string
	for start := time.Now(); time.Since(start) < 2500*time.Millisecond; {
		name, _ := viewer.next()
		names = append(names, name)
	}
	const all = "health size writes subscriptions changes keys"
	got := strings.Join(names, " ")
	if rest, ok := strings.CutPrefix(got, all+" "); !ok || strings.ReplaceAll(rest, "health", "") != strings.Repeat(" ", len(names)-7) {
		t.Errorf("the stream had %s", got)
	}
	// The last one may have come after 3 s, and the first after no time.
	if len(names) > 6+7 {
		t.Errorf("%d updates in 3 s, more than two a second", len(names)-6)
	}
}

func TestAStreamOutlivesTheServersWriteTimeout(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	page := s.page(debugpage.Options{})
	page.SetPatience(300 * time.Millisecond) // which passes between two events
	for _, protocol := range []int{1, 2} {
		server := serve(t, page, func(server *httptest.Server) {
			server.Config.WriteTimeout = 300 * time.Millisecond
			server.EnableHTTP2 = protocol == 2
		})
		viewer := server.follow(t, "/?format=live")
		if viewer.response.ProtoMajor != protocol {
			t.Fatalf("the protocol is %s", viewer.response.Proto)
		}
		for start := time.Now(); time.Since(start) < 2*time.Second; {
			viewer.part("health")
		}
		viewer.leave()
		eventually(t, "the server knows that the browser has left", func() bool { return server.streams.Load() == 0 })
	}
}

func TestABrowserThatNeverReadsIsGivenUp(t *testing.T) {
	data := make(map[string]string)
	for i := range 200 {
		data[fmt.Sprintf("key-%03d-%s", i, strings.Repeat("x", 200))] = "v"
	}
	s := newSite(t, data)
	page := s.page(debugpage.Options{})
	page.SetPatience(2 * time.Second) // enough for the others, however busy the machine is
	for _, protocol := range []int{1, 2} {
		server := serve(t, page, func(server *httptest.Server) {
			server.EnableHTTP2 = protocol == 2
			server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
				if tlsConn, ok := conn.(*tls.Conn); ok {
					conn = tlsConn.NetConn()
				}
				_ = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
				return ctx
			}
		})
		if protocol == 1 {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			fmt.Fprintf(conn, "GET /?format=live HTTP/1.1\r\nHost: x\r\n\r\n")
		} else {
			transport := server.Client().Transport.(*http.Transport)
			transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10}
			server.follow(t, "/?format=live") // and nobody reads the body
		}
		eventually(t, "the stream has begun", func() bool { return server.streams.Load() == 1 })
		other := server.follow(t, "/?format=live")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; server.streams.Load() > 1 && i < 2000; i++ {
				s.set("new", fmt.Sprint(i))
				if err := s.store.Delete(context.Background(), "new"); err != nil {
					t.Error(err)
				}
			}
		}()
		eventually(t, "the one that never reads is given up", func() bool {
			other.part("health") // the others are served meanwhile
			return server.streams.Load() == 1
		})
		<-done
		other.leave()
		eventually(t, "all streams have ended", func() bool { return server.streams.Load() == 0 })
	}
}

func TestStreamsEndWithTheStoreAndWithThePage(t *testing.T) {
	for _, what := range []string{"store", "page"} {
		s := newSite(t, map[string]string{"k": "v"})
		page := s.page(debugpage.Options{})
		server := serve(t, page)
		viewer := server.follow(t, "/?format=live")
		viewer.part("keys")
		if what == "store" {
			s.store.Close()
			if last := text(viewer.part("health")); !strings.Contains(last, "Fresh") && !strings.Contains(last, "Closed") {
				t.Errorf("the last word is %q", last)
			}
		} else {
			page.Close()
		}
		viewer.drain()
		eventually(t, "the stream has ended", func() bool { return server.streams.Load() == 0 })
		if again := server.follow(t, "/?format=live"); again.response.StatusCode != http.StatusNoContent {
			t.Errorf("after the end of the %s a stream begins with %s", what, again.response.Status)
		}
		if w := get(page, "/"); w.Code != http.StatusOK {
			t.Errorf("after the end of the %s the page is gone: %d", what, w.Code)
		}
	}
}

func TestTooManyViewersAreRefusedAndThePageIsNot(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	server := serve(t, s.page(debugpage.Options{Viewers: 2}))
	first, second := server.follow(t, "/?format=live"), server.follow(t, "/?format=live")
	first.part("keys")
	second.part("keys")
	if got := server.follow(t, "/?format=live").response; got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("the third gets %s", got.Status)
	}
	if got := server.follow(t, "/").response.StatusCode; got != http.StatusOK {
		t.Errorf("the page itself: %d", got)
	}
	first.leave()
	eventually(t, "there is room again", func() bool {
		return server.follow(t, "/?format=live").response.StatusCode == http.StatusOK
	})
	second.part("health")
}

func TestAServerThatCannotStreamSaysSo(t *testing.T) {
	page := newSite(t, nil).page(debugpage.Options{})
	if w := get(page, "/?format=live"); w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), "can be loaded") || strings.Contains(w.Header().Get("Content-Type"), "event-stream") {
		t.Errorf("a ResponseWriter without deadlines gets %d %q", w.Code, w.Body)
	}
}

func TestAHundredViewersShareWhatIsRenderedAndLeaveNothing(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	server := serve(t, s.page(debugpage.Options{}))
	s.set("first", "v") // opens the store's connection for writes
	before := runtime.NumGoroutine()
	var viewers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got [100]string
	for i := range got {
		viewer := server.follow(t, "/?format=live")
		viewers.Go(func() {
			for !strings.Contains(got[i], ">last<") {
				got[i] = viewer.part("keys")
			}
			viewer.leave()
			_, _ = io.Copy(io.Discard, viewer.response.Body)
		})
	}
	for i := range 200 {
		if err := s.store.Set(ctx, "k", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.set("last", "v")
	viewers.Wait()
	for i := range got {
		if got[i] != got[0] {
			t.Errorf("viewer %d has got another list", i)
		}
	}
	server.CloseClientConnections()
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestAPageThatNobodyLooksAtHasNoGoroutine(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	eventually(t, "the store is idle", func() bool { return s.store.Stats().Lag == 0 })
	time.Sleep(50 * time.Millisecond) // so that what is counted has come to rest
	before := runtime.NumGoroutine()
	for range 100 {
		s.page(debugpage.Options{})
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
