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

func TestAnHourOfOutageInABubble(t *testing.T) {
	real := time.Now()
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		if err := store.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		outage := api.Fail(mapstoretest.Refused())
		time.Sleep(time.Hour)
		if status := store.Status(); status.Err == nil || time.Since(status.LastContact) < time.Hour-time.Second {
			t.Errorf("Status after an hour of outage: %+v", status)
		}
		api.ConfigMap("default", "settings").Set("k", "from outside")
		if value, _ := store.Get("k"); value != "v" {
			t.Errorf("k = %q in the outage", value)
		}
		outage.End()
		time.Sleep(3 * time.Second)
		if err := store.Status().Err; err != nil {
			t.Errorf("Status after the outage: %v", err)
		}
		if value, _ := store.Get("k"); value != "from outside" {
			t.Errorf("k = %q after the outage", value)
		}
		if outage.Met() < 1000 {
			t.Errorf("%d requests met the outage of an hour", outage.Met())
		}
	})
	if took := time.Since(real); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

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
