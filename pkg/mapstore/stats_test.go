package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// counts takes the figures that are the same in each run.
func counts(s mapstore.Stats) mapstore.Stats {
	s.RequestTime, s.Lag = 0, 0
	return s
}

func TestStatsCountWhatBecameOfWrites(t *testing.T) {
	var armed atomic.Bool
	var replace func(*http.Request) (*http.Response, error)
	store := newCluster(t).store(onPut(&armed, func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		defer armed.Store(false)
		return replace(r)
	}))
	want := mapstore.Stats{Versions: 1}
	expect := func(what string) {
		t.Helper()
		if got := counts(store.Stats()); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
		}
	}
	expect("at first")

	update := func(ctx context.Context, fn func(*mapstore.Tx) error, end error) {
		t.Helper()
		if _, err := store.Update(ctx, fn); !errors.Is(err, end) {
			t.Errorf("Update: %v, want %v", err, end)
		}
	}
	update(t.Context(), increment, nil)
	want.Versions += 2 // it is created, and then written
	want.Requests += 2
	want.Commits, want.Transactions = 1, 1
	expect("after the first write")
	if took := store.Stats().RequestTime; took <= 0 {
		t.Errorf("the requests took %v", took)
	}

	replace = func(r *http.Request) (*http.Response, error) { return answer(r, http.StatusConflict, nil), nil }
	armed.Store(true)
	update(t.Context(), increment, nil)
	want.Versions++
	want.Requests += 2
	want.Conflicts++
	want.Commits++
	want.Transactions++
	expect("after a conflict")

	onPurpose := errors.New("on purpose")
	update(t.Context(), func(*mapstore.Tx) error { return onPurpose }, onPurpose)
	want.Aborted++
	expect("after fn has failed")
	elsewhere := fmt.Errorf("in another store: %w", mapstore.ErrUnknownOutcome)
	update(t.Context(), func(*mapstore.Tx) error { return elsewhere }, elsewhere)
	want.Aborted++
	expect("after fn has failed in the words of a store")
	var ended sync.WaitGroup
	ended.Go(func() {
		defer func() { _ = recover() }()
		_, _ = store.Update(t.Context(), func(*mapstore.Tx) error { panic(onPurpose) })
	})
	ended.Go(func() {
		_, _ = store.Update(t.Context(), func(*mapstore.Tx) error { runtime.Goexit(); return nil })
	})
	ended.Wait()
	want.Aborted += 2
	expect("after fn has panicked and ended its goroutine")

	update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("a/b", ""); return nil }, mapstore.ErrInvalidKey)
	want.Failures++
	expect("after a write that cannot be")
	replace = func(r *http.Request) (*http.Response, error) { return answer(r, http.StatusForbidden, nil), nil }
	armed.Store(true)
	if err := store.Set(t.Context(), "k", "v"); !apierrors.IsForbidden(err) {
		t.Errorf("Set: %v", err)
	}
	want.Requests++
	want.Failures++
	expect("after a write that is forbidden")

	replace = func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	armed.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	update(ctx, increment, mapstore.ErrUnknownOutcome)
	want.Requests++
	want.UnknownOutcomes++
	mapstore.Eventually(t, "the request has ended", func() bool { return counts(store.Stats()) == want })

	update(t.Context(), func(*mapstore.Tx) error { return nil }, nil)
	want.Requests++
	want.Commits++
	want.Transactions++
	expect("after a transaction that changes nothing")
}

// A call whose ctx has ended is a failure, though its function has returned an
// error before, which did not count.
func TestOnlyTheErrorThatACallReturnsAbortsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Put(nil)
		store := api.Open(t, "settings", mapstore.Options{})
		second := api.FailNext(1, mapstoretest.Hang(), "update")
		first := api.FailNext(1, mapstoretest.Hang(), "update")
		var all sync.WaitGroup
		all.Go(func() { write(t, store, "first") })
		synctest.Wait() // its request hangs, and the others gather
		all.Go(func() { write(t, store, "second") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		runs := 0
		all.Go(func() {
			if _, err := store.Update(ctx, func(*mapstore.Tx) error {
				runs++
				return errors.New("on top of the second")
			}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Update: %v", err)
			}
		})
		synctest.Wait()
		first.End()
		time.Sleep(6 * time.Second)
		second.End()
		all.Wait()
		if got := store.Stats(); runs != 1 || got.Aborted != 0 || got.Failures != 1 || got.Transactions != 2 {
			t.Errorf("after %d runs: %+v", runs, got)
		}
	})
}

func TestStatsCountResetsAndReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		store := api.Open(t, "settings", mapstore.Options{})
		expect := func(when string, resets, reconnects uint64) {
			t.Helper()
			synctest.Wait()
			if got := store.Stats(); got.Resets != resets || got.Reconnects != reconnects {
				t.Errorf("%s: %d resets and %d reconnects, want %d and %d", when, got.Resets, got.Reconnects, resets, reconnects)
			}
		}
		settings.Set("k", "v")
		settings.Delete()
		expect("after a deletion", 0, 0)
		settings.Set("k", "v")
		expect("after a recreation", 1, 0)
		time.Sleep(time.Second)                // of the bubble's clock: a shorter watch counts as a failure with the reflector
		api.Fail(mapstoretest.Refused()).End() // breaks the watch
		time.Sleep(5 * time.Second)
		expect("after the connection has broken", 1, 1)
	})
}

func TestStatsTellOfSubscriptions(t *testing.T) {
	store := newCluster(t).store()
	entered, release := make(chan struct{}), make(chan struct{})
	blocked := store.OnChange(func(mapstore.Change) {
		entered <- struct{}{}
		<-release
		panic("on purpose")
	})
	if err := store.Set(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	<-entered
	mapstore.Eventually(t, "the lag grows", func() bool { return store.Stats().Lag > 20*time.Millisecond })
	if all := store.Subscriptions(); len(all) != 1 || !strings.Contains(all[0].Name(), "TestStatsTellOfSubscriptions") {
		t.Errorf("Subscriptions() = %v, the first named %q", all, all[0].Name())
	}
	close(release)
	mapstore.Eventually(t, "the callback has ended", func() bool { return store.Stats().Lag == 0 })
	if got := store.Stats(); got.Panics != 1 || got.Subscriptions != 1 {
		t.Errorf("%d panics, %d subscriptions", got.Panics, got.Subscriptions)
	}
	blocked.Stop()
	if got := store.Stats().Subscriptions; got != 0 {
		t.Errorf("%d subscriptions after Stop", got)
	}
}
