package mapstore_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Somebody writes every 10 ms, and the function of another store's transaction takes
// a hundred.
func besideAQuickWriter(t *testing.T, test func(t *testing.T, slow *mapstore.Store, api *mapstoretest.API, run func(*mapstore.Tx) error)) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Set("k", "v")
		quick, slow := api.Open(t, "settings", mapstore.Options{}), api.Peer()
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					write(t, quick, strconv.Itoa(i))
				}
			}
		}()
		test(t, slow.Open(t, "settings", mapstore.Options{}), slow, func(tx *mapstore.Tx) error {
			time.Sleep(100 * time.Millisecond)
			tx.Set("slow", "v")
			return nil
		})
		close(stop)
		<-stopped
	})
}

func TestASlowTransactionCommitsBesideAQuickWriter(t *testing.T) {
	besideAQuickWriter(t, func(t *testing.T, store *mapstore.Store, _ *mapstoretest.API, run func(*mapstore.Tx) error) {
		for range 2 {
			if _, err := store.Update(within(t, 1300*time.Millisecond), run); err != nil {
				t.Error(err)
			}
		}
	})
}

// Without the right to patch nobody can be asked to hold back: the store asks once, goes
// on without it, and says what it waits for.
func TestAWriterLearnsWhyItWaits(t *testing.T) {
	besideAQuickWriter(t, func(t *testing.T, store *mapstore.Store, api *mapstoretest.API, run func(*mapstore.Tx) error) {
		denied := api.Fail(mapstoretest.Forbidden(), "patch")
		for range 2 {
			_, err := store.Update(within(t, time.Second), run)
			expectNotApplied(t, err)
			if err != nil && (!strings.Contains(err.Error(), "conflicts with other writers, stood back for ") || strings.Contains(err.Error(), " 0 conflicts")) {
				t.Errorf("the reason is lost: %v", err)
			}
		}
		if denied.Met() != 1 {
			t.Errorf("asked %d times for a hold", denied.Met())
		}
	})
}
