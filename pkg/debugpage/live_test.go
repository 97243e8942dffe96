package debugpage_test

import (
	"fmt"
	"log"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
)

// What the hundred have left behind would be found at the bubble's end.
func TestAHundredViewersGetEachChangeWithinHalfASecond(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		server := serve(s.T, s.page(debugpage.Options{}))
		var viewers [100]*viewer
		for i := range viewers {
			viewers[i] = server.follow("/?format=live&prefix=k")
			if got := viewers[i].response.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
				s.Errorf("content type %q", got)
			}
		}
		for n := range 3 {
			s.set("k", fmt.Sprint(n))
			start := time.Now()
			s.set(fmt.Sprint("k", n), "v")
			var wait sync.WaitGroup
			for _, v := range viewers {
				wait.Go(func() {
					for !strings.Contains(v.part("keys"), fmt.Sprint(">k", n, "<")) {
					}
					if took := time.Since(start); took > 500*time.Millisecond {
						s.Errorf("the change came after %v", took)
					}
				})
			}
			wait.Wait()
		}
		for _, v := range viewers {
			v.leave()
		}
	})
}

// When nothing happens the time differs, each second. By that page.js knows that its
// server is there.
func TestOnlyWhatDiffersIsSent(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		viewer := serve(s.T, s.page(debugpage.Options{})).follow("/?format=live")
		var names []string
		for start := time.Now(); time.Since(start) < 10*time.Second; {
			name, _ := viewer.next()
			names = append(names, name)
		}
		const all = "health size writes subscriptions changes keys"
		if got := strings.Join(names, " "); got != all+strings.Repeat(" health", 10) {
			s.Errorf("the stream had %s", got)
		}
	})
}

func TestAStreamOutlivesTheServersWriteTimeout(t *testing.T) {
	for _, version := range []int{1, 2} {
		inBubble(t, map[string]string{"k": "v"}, func(s *site) {
			server := serve(s.T, s.page(debugpage.Options{}), protocol(version), func(h *host) { h.WriteTimeout = 300 * time.Millisecond })
			viewer := server.follow("/?format=live")
			if viewer.response.ProtoMajor != version {
				s.Fatalf("the protocol is %s", viewer.response.Proto)
			}
			for start := time.Now(); time.Since(start) < 30*time.Second; { // longer than a browser may read nothing
				viewer.part("health")
			}
			viewer.leave()
			synctest.Wait()
			if n := server.streams.Load(); n != 0 {
				s.Errorf("%d streams go on though the browser has left", n)
			}
		})
	}
}

func TestABrowserThatNeverReadsIsGivenUp(t *testing.T) {
	data := make(map[string]string)
	for i := range 200 {
		data[fmt.Sprintf("key-%03d-%s", i, strings.Repeat("x", 200))] = "v"
	}
	for name, version := range map[string]int{"HTTP/1": 1, "HTTP/2": 2, "not even the header": 1} {
		inBubble(t, data, func(s *site) {
			var complaints strings.Builder
			server := serve(s.T, s.page(debugpage.Options{}), protocol(version), func(h *host) { h.ErrorLog = log.New(&complaints, "", 0) })
			if name == "not even the header" {
				conn := server.dial()
				defer conn.Close()
				fmt.Fprintf(conn, "GET /?format=live HTTP/1.1\r\nHost: page\r\n\r\n")
			} else {
				server.transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10}
				server.follow("/?format=live") // and nobody reads the body
			}
			other := server.follow("/?format=live")
			for start := time.Now(); time.Since(start) < 9*time.Second; {
				other.part("health") // the others are served meanwhile
			}
			if n := server.streams.Load(); n != 2 {
				s.Errorf("%s: %d streams after 9 s, want both", name, n)
			}
			for start := time.Now(); time.Since(start) < 3*time.Second; {
				other.part("health")
			}
			if n := server.streams.Load(); n != 1 {
				s.Errorf("%s: %d streams after 12 s, want that of the one that reads", name, n)
			}
			if complaints.Len() > 0 {
				s.Errorf("%s: the server complains: %s", name, &complaints)
			}
			other.leave()
		})
	}
}

func TestStreamsEndWithTheStoreAndWithThePage(t *testing.T) {
	for _, what := range []string{"store", "page"} {
		inBubble(t, map[string]string{"k": "v"}, func(s *site) {
			page := s.page(debugpage.Options{})
			server := serve(s.T, page)
			viewer := server.follow("/?format=live")
			viewer.part("keys")
			if what == "store" {
				s.store.Close()
				if last := text(viewer.part("health")); !strings.Contains(last, "Closed") {
					s.Errorf("the last word is %q", last)
				}
			} else {
				page.Close()
			}
			viewer.drain()
			synctest.Wait()
			if n := server.streams.Load(); n != 0 {
				s.Errorf("%d streams after the end of the %s", n, what)
			}
			if again := server.follow("/?format=live"); again.response.StatusCode != http.StatusNoContent {
				s.Errorf("after the end of the %s a stream begins with %s", what, again.response.Status)
			}
			if w := get(page, "/"); w.Code != http.StatusOK {
				s.Errorf("after the end of the %s the page is gone: %d", what, w.Code)
			}
		})
	}
}

func TestTooManyViewersAreRefusedAndThePageIsNot(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		server := serve(s.T, s.page(debugpage.Options{Viewers: 2}))
		first, second := server.follow("/?format=live"), server.follow("/?format=live")
		first.part("keys")
		second.part("keys")
		if got := server.follow("/?format=live").response; got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
			s.Errorf("the third gets %s", got.Status)
		}
		if got := server.follow("/").response.StatusCode; got != http.StatusOK {
			s.Errorf("the page itself: %d", got)
		}
		first.leave()
		synctest.Wait()
		if got := server.follow("/?format=live").response.StatusCode; got != http.StatusOK {
			s.Errorf("there is no room again: %d", got)
		}
		second.part("health")
	})
}

func TestAPageThatNobodyLooksAtHasNoGoroutine(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		synctest.Wait()
		before := len(leak.Goroutines())
		for range 100 {
			s.page(debugpage.Options{})
		}
		if after := len(leak.Goroutines()); after > before {
			s.Errorf("100 pages hold %d goroutines", after-before)
		}
	})
}

// A page that nobody looks at must not keep a version alive that the store has let
// go of; nor one that somebody has looked at.
func TestOldVersionsAreNotKeptAlive(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
		viewer := serve(s.T, page).follow("/?format=live")
		viewer.part("keys")
		old := weak.Make(s.store.Snapshot())
		for i := range 3 {
			s.set("k", fmt.Sprint(i))
			viewer.part("keys")
		}
		get(page, "/")
		synctest.Wait() // who tells of a version still has the one before
		for range 100 {
			if runtime.GC(); old.Value() == nil {
				return
			}
		}
		s.Error("the version is kept")
		runtime.KeepAlive(page)
	})
}
