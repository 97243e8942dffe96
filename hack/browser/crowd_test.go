package browser

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A hundred browsers follow the page of a map of a thousand keys, one more never
// reads, and the store goes on to write.
func TestAHundredBrowsersAndOneThatNeverReads(t *testing.T) {
	s := newSite(t, debugpage.Options{})
	s.update(func(tx *mapstore.Tx) {
		for i := range 1000 {
			tx.Set(fmt.Sprintf("tenant.%03d.%s", i, strings.Repeat("k", 100)), strings.Repeat("x", i))
		}
	})
	alone := s.write(t, 5*time.Second)
	before := runtime.NumGoroutine()

	address, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	_ = deaf.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(deaf, "GET %s?format=live HTTP/1.1\r\nHost: %s\r\n\r\n", address.Path, address.Host)

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var read, seen atomic.Int64
	var browsers sync.WaitGroup
	transport := &http.Transport{}
	for range 100 {
		browsers.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"?format=live", nil)
			if err != nil {
				t.Error(err)
				return
			}
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			n, _ := io.Copy(&finder{want: "last-of-all", found: &seen}, response.Body)
			read.Add(n)
		})
	}
	watched := s.write(t, 5*time.Second)
	s.set("last-of-all", strings.Repeat("x", 2000)) // the biggest, at the top of the list
	for deadline := time.Now().Add(5 * time.Second); seen.Load() < 100 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // poll
	}
	if seen.Load() < 100 {
		t.Errorf("%d of 100 browsers have got the last change", seen.Load())
	}
	leave()
	browsers.Wait()
	transport.CloseIdleConnections()
	_ = deaf.Close()
	for deadline := time.Now().Add(15 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // poll: the runtime does not tell
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, before the browsers came %d", now, before)
	}
	t.Logf("alone %d writes/s; with 101 browsers %d writes/s, %d kB/s each", alone/5, watched/5, read.Load()/100/5000)
	if watched < alone/4 {
		t.Errorf("%d writes while a hundred look, %d while nobody does", watched, alone)
	}
}

// write sets a key, again and again, and returns how often.
func (s *site) write(t *testing.T, d time.Duration) (writes int) {
	t.Helper()
	for start := time.Now(); time.Since(start) < d; writes++ {
		s.set("k", fmt.Sprint(writes))
	}
	return writes
}

// A finder counts itself in when what is written to it contains a word.
type finder struct {
	want  string
	found *atomic.Int64
	tail  string
	done  bool
}

func (f *finder) Write(p []byte) (int, error) {
	text := f.tail + string(p)
	if !f.done && strings.Contains(text, f.want) {
		f.done = true
		f.found.Add(1)
	}
	f.tail = text[max(0, len(text)-len(f.want)):]
	return len(p), nil
}
