package mapstore

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// What is guarded here are counts, which no busy machine changes. How long
// things take is measured by hack/bench.

// traffic is the kinds of requests that a client has sent, in order.
type traffic struct {
	next http.RoundTripper

	mu       sync.Mutex // protects all below
	requests []string
	held     chan struct{} // PUTs wait until it is closed; nil: they do not
}

func (tr *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	what := r.Method
	switch query := r.URL.Query(); {
	case query.Get("watch") != "":
		what = "WATCH"
	case query.Get("fieldSelector") != "":
		what = "LIST"
	}
	tr.mu.Lock()
	tr.requests = append(tr.requests, what)
	held := tr.held
	tr.mu.Unlock()
	if held != nil && r.Method == http.MethodPut {
		<-held
	}
	return tr.next.RoundTrip(r)
}

// take returns the requests since the last call.
func (tr *traffic) take() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	taken := strings.Join(tr.requests, " ")
	tr.requests = nil
	return taken
}

// hold makes PUTs wait until the returned function is called.
func (tr *traffic) hold() (release func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	held := make(chan struct{})
	tr.held = held
	return func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.held = nil
		close(held)
	}
}

// measuredStore returns a synced store with a map of so many keys, and what it sends.
func measuredStore(tb testing.TB, keys int) (*Store, *traffic) {
	tb.Helper()
	server := httptest.NewServer(&memapi.Server{})
	tb.Cleanup(server.Close)
	sent := &traffic{}
	config := &rest.Config{Host: server.URL, QPS: -1}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		sent.next = next
		return sent
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		tb.Fatal(err)
	}
	store, err := New(client, "ns", "settings", Options{})
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := store.Start(context.Background()); err != nil {
			tb.Errorf("Start: %v", err)
		}
	}()
	tb.Cleanup(func() {
		store.Close()
		<-ended
	})
	if err := store.WaitForSync(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if got := sent.take(); got != "LIST WATCH" {
		tb.Errorf("the first sync cost %s, want LIST WATCH", got)
	}
	if _, err := store.Update(tb.Context(), func(tx *Tx) error {
		for i := range keys {
			tx.Set(measuredKey(i), strings.Repeat("x", 100))
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	sent.take()
	return store, sent
}

const measuredKey0 = "key-00000"

func measuredKey(i int) string { return fmt.Sprintf("key-%05d", i) }

func TestAReadAllocatesNothing(t *testing.T) {
	store, _ := measuredStore(t, 100)
	for name, read := range map[string]func(){
		"Get":               func() { store.Get(measuredKey0) },
		"Get, absent":       func() { store.Get("absent") },
		"Snapshot, and Get": func() { store.Snapshot().Get(measuredKey0) },
	} {
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestAWriteIsOneRequest(t *testing.T) {
	store, sent := measuredStore(t, 10)
	for name, write := range map[string]func() error{
		"Set":    func() error { return store.Set(t.Context(), "a", "1") },
		"Delete": func() error { return store.Delete(t.Context(), measuredKey(3)) },
		"Clear":  func() error { return store.Clear(t.Context()) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if got := sent.take(); got != "PUT" {
			t.Errorf("%s cost %q, want PUT", name, got)
		}
	}
}

// While one request is in flight all others gather, and the next one carries
// them.
func TestWritersThatGatherShareOneRequest(t *testing.T) {
	store, sent := measuredStore(t, 1)
	release := sent.hold()
	var writers sync.WaitGroup
	const count = 64
	write := func(i int) {
		writers.Go(func() {
			if err := store.Set(t.Context(), measuredKey(i), "1"); err != nil {
				t.Error(err)
			}
		})
	}
	write(0)
	eventually(t, "a request is sent", func() bool {
		sent.mu.Lock()
		defer sent.mu.Unlock()
		return len(sent.requests) == 1
	})
	for i := range count - 1 {
		write(i + 1)
	}
	eventually(t, "all others wait", func() bool {
		return store.committer.group.Queued() == count-1
	})
	release()
	writers.Wait()
	if got := sent.take(); got != "PUT PUT" {
		t.Errorf("%d writers cost %s, want PUT PUT", count, got)
	}
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) { // polls
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s until %s", what)
		}
	}
}

func TestAnIdleSubscriptionIsSmallAndHasNoGoroutine(t *testing.T) {
	store, _ := measuredStore(t, 100)
	const count = 10_000
	var calls sync.WaitGroup
	calls.Add(count)
	heard := func(Change) { calls.Done() }
	goroutines, before := runtime.NumGoroutine(), heapInUse()
	for range count {
		store.OnChange(heard)
	}
	calls.Wait() // each is told of the present state
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
	const limit = 300
	if each := (heapInUse() - before) / count; each > limit {
		t.Errorf("an idle subscription takes %.0f bytes, at most %d expected", each, limit)
	}
	runtime.KeepAlive(store)
}

func heapInUse() float64 {
	for range 3 { // what pools and finalizers hold takes two
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

func BenchmarkGet(b *testing.B) {
	store, _ := measuredStore(b, 100)
	b.ReportAllocs()
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			store.Get(measuredKey0)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				store.Get(measuredKey0)
			}
		})
	})
}

// What a store does with a decoded event, beside the decoding itself.
func BenchmarkEvent(b *testing.B) {
	object := &corev1.ConfigMap{Data: make(map[string]string)}
	object.Namespace, object.Name, object.UID = "ns", "settings", "uid"
	for i := range 1000 {
		object.Data[measuredKey(i)] = strings.Repeat("x", 1000)
	}
	encoded, err := object.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := new(corev1.ConfigMap).Unmarshal(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("take", func(b *testing.B) {
		remote := remote.New(fake.NewClientset(), "ns", "settings", "mapstore")
		source := newSource(remote, newReplica(), Options{StaleAfter: time.Minute})
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			next := *object
			next.ResourceVersion = fmt.Sprint(1_000_000 + i)
			if err := (*sink)(source).Update(&next); err != nil {
				b.Fatal(err)
			}
		}
	})
}
