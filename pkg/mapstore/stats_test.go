package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestStatsCountWhatBecameOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		want := mapstore.Stats{Versions: 1}
		expect := func(what string) {
			t.Helper()
			synctest.Wait()
			got := store.Stats()
			got.RequestTime, got.Lag = 0, 0
			if got != want {
				t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
			}
		}
		update := func(ctx context.Context, fn func(*mapstore.Tx) error, end error) {
			t.Helper()
			if _, err := store.Update(ctx, fn); !errors.Is(err, end) {
				t.Errorf("Update: %v, want %v", err, end)
			}
		}
		expect("at first")
		add(t, store)
		want.Versions += 2 // it is created, and then written
		want.Requests += 2
		want.Commits, want.Transactions = 1, 1
		expect("after the first write")

		api.FailNext(1, mapstoretest.Conflict(), "update")
		add(t, store)
		want.Versions++
		want.Requests += 2
		want.Conflicts++
		want.Commits++
		want.Transactions++
		expect("after a conflict")

		onPurpose := errors.New("on purpose")
		update(t.Context(), func(*mapstore.Tx) error { return onPurpose }, onPurpose)
		elsewhere := fmt.Errorf("in another store: %w", mapstore.ErrUnknownOutcome)
		update(t.Context(), func(*mapstore.Tx) error { return elsewhere }, elsewhere)
		want.Aborted += 2
		expect("after fn has failed, in its own words and in those of a store")
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
		denied := api.Fail(mapstoretest.Forbidden(), "update")
		if err := store.Set(t.Context(), "k", "v"); !apierrors.IsForbidden(err) {
			t.Errorf("Set: %v", err)
		}
		denied.End()
		time.Sleep(time.Second)
		want.Requests++
		want.Failures++
		want.Reconnects++ // the watch may have outlived its rights
		expect("after a write that is forbidden")

		api.FailNext(1, mapstoretest.Hang(), "update")
		took := store.Stats().RequestTime
		update(within(t, time.Second), increment, mapstore.ErrUnknownOutcome)
		want.Requests++
		want.UnknownOutcomes++
		expect("after a write of unknown outcome")
		if took = store.Stats().RequestTime - took; took != time.Second {
			t.Errorf("the request took %v", took)
		}
		update(t.Context(), func(*mapstore.Tx) error { return nil }, nil)
		want.Requests++
		want.Commits++
		want.Transactions++
		expect("after a transaction that changes nothing")
	})
}

// A call whose ctx has ended is a failure, though its function has returned an
// error before, which did not count.
func TestOnlyTheErrorThatACallReturnsAbortsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		second := api.FailNext(1, mapstoretest.Hang(), "update")
		first := api.FailNext(1, mapstoretest.Hang(), "update")
		var all sync.WaitGroup
		for _, key := range []string{"first", "second"} { // its request hangs, and the others gather
			all.Go(func() { write(t, store, key) })
			synctest.Wait()
		}
		runs := 0
		all.Go(func() {
			if _, err := store.Update(within(t, 5*time.Second), func(*mapstore.Tx) error {
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
		if got := store.Stats(); runs != 1 || got.Aborted != 0 || got.Failures != 1 || got.Transactions != 3 {
			t.Errorf("after %d runs: %+v", runs, got)
		}
	})
}

func TestStatsCountResetsAndReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		settings := api.ConfigMap("default", "settings")
		expect := func(when string, resets, reconnects uint64) {
			t.Helper()
			synctest.Wait()
			if got := store.Stats(); got.Resets != resets || got.Reconnects != reconnects {
				t.Errorf("%s: %d resets and %d reconnects, want %d and %d", when, got.Resets, got.Reconnects, resets, reconnects)
			}
		}
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
	synctest.Test(t, func(t *testing.T) {
		store := mapstoretest.NewStore(t, map[string]string{"k": "v"})
		release := make(chan struct{})
		blocked := store.OnChange(func(mapstore.Change) {
			<-release
			panic("on purpose")
		})
		time.Sleep(time.Minute) // of the bubble's clock
		if lag := store.Stats().Lag; lag != time.Minute {
			t.Errorf("a lag of %v", lag)
		}
		if all := store.Subscriptions(); len(all) != 1 || !strings.Contains(all[0].Name(), "TestStatsTellOfSubscriptions") {
			t.Errorf("Subscriptions() = %v, the first named %q", all, all[0].Name())
		}
		close(release)
		synctest.Wait()
		if got := store.Stats(); got.Panics != 1 || got.Subscriptions != 1 || got.Lag != 0 {
			t.Errorf("when the callback has ended: %+v", got)
		}
		blocked.Stop()
		if got := store.Stats().Subscriptions; got != 0 {
			t.Errorf("%d subscriptions after Stop", got)
		}
	})
}
