package mapstoretest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestWriteTimeoutRunsOutInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		api.Fail(mapstoretest.Refused())
		start := time.Now()
		err := store.Set(t.Context(), "k", "v")
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mapstore.ErrUnknownOutcome) {
			t.Errorf("Set: %v, want it not applied in time", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Set took %v", took)
		}
	})
}

// A store lets those catch up who shared its last request. In a bubble no time
// passes meanwhile, so the time that this takes is no bound.
func TestAStoreDoesNotWaitForWritersThatDoNotComeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		hang := api.FailNext(1, mapstoretest.Hang(), "update")
		var writers sync.WaitGroup
		for i := range 8 {
			writers.Go(func() {
				if err := store.Set(t.Context(), fmt.Sprint("k", i), "v"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // one request hangs, with all that are not in it waiting for it
		hang.End()
		writers.Wait()
		if err := store.Set(t.Context(), "k", "alone"); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		api.Fail(mapstoretest.Hang())
		if err := store.Set(ctx, "k", "given up"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set: %v", err)
		}
	})
}

func TestBookmarksKeepAnIdleStoreFreshForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		for range 24 * 60 {
			time.Sleep(time.Minute + time.Second)
			status := store.Status()
			if age := time.Since(status.LastContact); status.Err != nil || age > 62*time.Second {
				t.Fatalf("after %v of silence: %v", age, status.Err)
			}
		}
	})
}
