package mapstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// expectNotApplied takes the error of a write whose ctx has ended before it was sent.
func expectNotApplied(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("%v; want that it was not applied in time", err)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Whose request has not been sent yet can be told for sure that nothing was
// applied, and nothing is.
func TestWhoseCtxEndsBeforeTheRequestIsSentIsToldThatNothingWasApplied(t *testing.T) {
	t.Run("in its own function", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			store := api.Open(t, "settings", mapstore.Options{})
			set(t, store, "a", "1")
			_, err := store.Update(within(t, time.Second), func(tx *mapstore.Tx) error {
				time.Sleep(2 * time.Second)
				tx.Set("late", "1")
				return nil
			})
			expectNotApplied(t, err)
			set(t, store, "b", "1")
			if got := api.ConfigMap("default", "settings").Values(); len(got) != 2 {
				t.Errorf("the map is %v", got)
			}
		})
	})
	t.Run("in that of a neighbour", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			store := api.Open(t, "settings", mapstore.Options{})
			set(t, store, "a", "1")
			hang := api.FailNext(1, mapstoretest.Hang(), "update")
			var writers sync.WaitGroup
			writers.Go(func() { write(t, store, "first") })
			synctest.Wait() // it hangs, and the next two share a request
			writers.Go(func() { expectNotApplied(t, store.Set(within(t, time.Second), "early", "1")) })
			synctest.Wait()
			runs := 0
			writers.Go(func() {
				if _, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
					if runs++; runs == 1 {
						time.Sleep(2 * time.Second)
					}
					_, early := tx.Get("early")
					if early != (runs == 1) { // what it was before, and what it is without its neighbour
						t.Errorf("run %d finds the key of the other: %v", runs, early)
					}
					tx.Set("slow", "1")
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			hang.End()
			writers.Wait()
			got := api.ConfigMap("default", "settings").Values()
			if _, early := got["early"]; early || got["slow"] != "1" || len(got) != 3 {
				t.Errorf("the map is %v", got)
			}
		})
	})
	t.Run("while the map is created", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			store := api.Open(t, "settings", mapstore.Options{})
			api.FailNext(1, mapstoretest.Slow(2*time.Second), "patch")
			expectNotApplied(t, store.Set(within(t, time.Second), "k", "v"))
			set(t, store, "b", "1")
			if got := api.ConfigMap("default", "settings").Values(); len(got) != 1 {
				t.Errorf("the map is %v", got)
			}
		})
	})
	t.Run("before Start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, err := mapstore.New(mapstoretest.NewAPI(t).Client(), "default", "settings", mapstore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			err = store.Set(within(t, time.Second), "k", "v")
			expectNotApplied(t, err)
			if !strings.Contains(err.Error(), "Start has not been called") {
				t.Errorf("it does not say why: %v", err)
			}
		})
	})
}
