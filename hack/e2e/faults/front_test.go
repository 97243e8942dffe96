package main

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// behindFront starts a server and a front before it. A watch of the server
// brings a line each time that tick is sent to; it counts writes.
func behindFront(t *testing.T) (f *front, client *http.Client, tick chan struct{}, writes *atomic.Int64) {
	t.Helper()
	tick, writes = make(chan struct{}), new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isWatch(r) {
			writes.Add(1)
			_, _ = io.WriteString(w, "written")
			return
		}
		for n := 0; ; n++ {
			_, _ = io.WriteString(w, strconv.Itoa(n)+"\n") // the first at once, as headers come with it
			w.(http.Flusher).Flush()
			select {
			case <-tick:
			case <-r.Context().Done():
				return
			}
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	way, err := newPath(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: encodeCertificate(server.Certificate())}})
	if err != nil {
		t.Fatal(err)
	}
	f = newFront(way, rand.New(rand.NewPCG(1, 2)))
	t.Cleanup(func() {
		f.close()
		server.CloseClientConnections()
		server.Close()
	})
	client = f.server.Client()
	client.Timeout = 20 * time.Second
	return f, client, tick, writes
}

func put(t *testing.T, f *front, client *http.Client) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.server.URL, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

func TestWritesAreTamperedWith(t *testing.T) {
	for name, row := range map[string]struct {
		tamper tamper
		landed int64
		status int // 0: no answer
	}{
		"not at all":       {tamper{}, 1, http.StatusOK},
		"lost":             {tamper{share: 1}, 0, 0},
		"answer lost":      {tamper{share: 1, landed: true}, 1, 0},
		"refused":          {tamper{share: 1, statuses: []int{503}}, 0, 503},
		"landed, answered": {tamper{share: 1, landed: true, statuses: []int{429}}, 1, 429},
	} {
		t.Run(name, func(t *testing.T) {
			f, client, _, writes := behindFront(t)
			f.setTamper(row.tamper)
			status, err := put(t, f, client)
			if status != row.status || (err != nil) != (row.status == 0) {
				t.Errorf("status %d, %v; want %d", status, err, row.status)
			}
			if n := writes.Load(); n != row.landed {
				t.Errorf("the server has seen %d writes, want %d", n, row.landed)
			}
		})
	}
}

func openWatch(t *testing.T, f *front, client *http.Client) *bufio.Scanner {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.server.URL+"?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return bufio.NewScanner(response.Body)
}

func TestAMutedWatchBringsNothingWhileAllElseWorks(t *testing.T) {
	f, client, tick, _ := behindFront(t)
	lines := openWatch(t, f, client)
	if !lines.Scan() || lines.Text() != "0" {
		t.Fatalf("the first line is %q, %v", lines.Text(), lines.Err())
	}
	f.muteWatches(true)
	tick <- struct{}{}
	came := make(chan string, 1)
	go func() {
		lines.Scan()
		came <- lines.Text()
	}()
	if status, err := put(t, f, client); status != http.StatusOK {
		t.Errorf("a write: %d, %v", status, err)
	}
	f.muteWatches(false) // of this one it is for good
	select {
	case text := <-came:
		t.Errorf("a muted watch brought %q", text)
	case <-time.After(100 * time.Millisecond):
	}
	if other := openWatch(t, f, client); !other.Scan() {
		t.Errorf("a new watch brings nothing: %v", other.Err())
	}
	f.endWatches()
	if text := <-came; text != "" {
		t.Errorf("a muted watch brought %q at its end", text)
	}
}

func TestAWatchWaitsAtTheGate(t *testing.T) {
	f, client, _, _ := behindFront(t)
	release := f.holdWatches()
	opened := make(chan bool, 1)
	go func() { opened <- openWatch(t, f, client).Scan() }()
	if err := until(t.Context(), patience, func() bool { return f.waiting.Load() == 1 }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-opened:
		t.Error("the gate is open")
	default:
	}
	release()
	if !<-opened {
		t.Error("the watch brings nothing")
	}
}
