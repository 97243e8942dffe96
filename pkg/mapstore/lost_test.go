package mapstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// What keeps the repetition of a lost request from being sent says nothing of
// the first one, which may still be on its way.
func TestALostRequestThatLandsLateIsFoundThoughItsRepetitionWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		var armed atomic.Bool
		var late func()
		config := api.Config()
		onPut(&armed, func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			switch n {
			case 1:
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				first := r.Clone(context.Background())
				first.Body = io.NopCloser(bytes.NewReader(body))
				late = func() { commit(t, first, next) }
				return nil, syscall.ECONNRESET
			case 2:
				late()
				return nil, errRefused
			}
			return next.RoundTrip(r)
		})(config)
		store := start(t, config)
		set(t, store, "n", "1")
		armed.Store(true)
		if _, err := store.Update(t.Context(), increment); err != nil {
			t.Error(err)
		}
		if n := api.ConfigMap("default", "settings").Values()["n"]; n != "2" {
			t.Errorf("n = %s after 2 increments", n)
		}
	})
}

// It leaves nothing to be unsure of.
func TestATransactionThatChangesNothingIsNeverOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "k", "v")
		lost := api.Fail(mapstoretest.LostAnswer(), "update")
		expectNotApplied(t, store.Delete(within(t, 5*time.Second), "absent"))
		if lost.Met() < 2 {
			t.Errorf("%d answers were lost", lost.Met())
		}
	})
}

// A conflict says that the request was not applied, also when the version that
// it has met cannot be read.
func TestAWriteThatOnlyMetConflictsRunsAgainThoughNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "k", "v")
		conflict := api.FailNext(1, mapstoretest.Conflict(), "update")
		unread := api.Fail(mapstoretest.Forbidden(), "get", "list", "watch")
		set(t, store, "k", "w")
		if conflict.Met() != 1 || unread.Met() == 0 {
			t.Errorf("%d conflicts, and %d requests that were denied", conflict.Met(), unread.Met())
		}
	})
}

// It asks the server when the watch is late; what has not come there either is
// still waited for.
func TestWaitForARevisionThatIsYetToComeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "k", "v")
		if now, err := store.WaitFor(within(t, time.Minute), "1000"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor: %v, %v", now, err)
		}
	})
}
