package mapstore_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// What is guarded here are counts, which no busy machine changes. How long
// things take is measured by hack/bench.

func measuredStore(t *testing.T) *mapstore.Store {
	t.Helper()
	values := make(map[string]string)
	for i := range 100 {
		values[fmt.Sprintf("key-%02d", i)] = strings.Repeat("x", 100)
	}
	return mapstoretest.NewStore(t, values)
}

func TestAReadAllocatesNothing(t *testing.T) {
	store := measuredStore(t)
	for name, read := range map[string]func(){
		"Get":               func() { store.Get("key-00") },
		"Get, absent":       func() { store.Get("absent") },
		"Snapshot, and Get": func() { store.Snapshot().Get("key-00") },
	} {
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestASyncIsTwoRequestsAndAWriteIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Put(map[string]string{"a": "0", "b": "0"})
		counters := make(map[string]*mapstoretest.Failure)
		for _, verb := range mapstoretest.Verbs() {
			counters[verb] = api.Fail(mapstoretest.Slow(0), verb)
		}
		sent := make(map[string]int)
		expect := func(what string, verbs ...string) {
			t.Helper()
			synctest.Wait()
			for _, verb := range verbs {
				sent[verb]++
			}
			for verb, counter := range counters {
				if counter.Met() != sent[verb] {
					t.Errorf("after %s: %d times %s, want %d", what, counter.Met(), verb, sent[verb])
				}
			}
		}
		store := api.Open(t, "settings", mapstore.Options{})
		expect("the first sync", "list", "watch")
		for name, write := range map[string]func() error{
			"Set":    func() error { return store.Set(t.Context(), "a", "1") },
			"Delete": func() error { return store.Delete(t.Context(), "b") },
			"Clear":  func() error { return store.Clear(t.Context()) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
			expect(name, "update")
		}
	})
}

// (Package watch shows that it has no goroutine.)
func TestAnIdleSubscriptionIsSmall(t *testing.T) {
	store := measuredStore(t)
	const count = 10_000
	subscribe := func() (all []*watch.Subscription) {
		var calls sync.WaitGroup
		calls.Add(count)
		heard := func(mapstore.Change) { calls.Done() }
		for range count {
			all = append(all, store.OnChange(heard))
		}
		calls.Wait() // each is told of the present state
		return all
	}
	for _, subscription := range subscribe() { // so that the runtime has all goroutines that it ever needs
		subscription.Stop()
	}
	before := heapInUse()
	subscribe()
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
