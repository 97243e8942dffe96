package mapstore_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Whose request has not been sent yet can be told for sure that nothing was
// applied, and nothing is. (Package group shows it of those who share a request.)
func TestWhoseCtxEndsBeforeTheRequestIsSentIsToldThatNothingWasApplied(t *testing.T) {
	t.Run("in its own function", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api, store := started(t)
			_, err := store.Update(within(t, time.Second), func(tx *mapstore.Tx) error {
				time.Sleep(2 * time.Second)
				tx.Set("late", "1")
				return nil
			})
			expectNotApplied(t, err)
			set(t, store, "b", "1")
			if got := values(api); len(got) != 2 {
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
			if got := values(api); len(got) != 1 {
				t.Errorf("the map is %v", got)
			}
		})
	})
	t.Run("before Start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, err := mapstore.New(mapstoretest.NewAPI(t).Client(), "default", "settings", mapstore.Options{WriteTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{"Set": store.Set(t.Context(), "k", "v"), "Status": store.Status().Err, "WaitForSync": store.WaitForSync(within(t, time.Second))} {
				if err == nil || !strings.Contains(err.Error(), "Start has not been called") {
					t.Errorf("%s does not say why: %v", what, err)
				}
				if what == "Set" {
					expectNotApplied(t, err)
				}
			}
			written := make(chan error)
			go func() { written <- store.Set(within(t, time.Second), "k", "v") }()
			synctest.Wait()
			go func() { _ = store.Start(t.Context()) }()
			if err := <-written; err != nil {
				t.Errorf("Set while the store starts: %v", err)
			}
			store.Close()
		})
	})
}
