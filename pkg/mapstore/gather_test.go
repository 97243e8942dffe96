package mapstore_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

const requestTime = 10 * time.Millisecond

// slowStore returns a store whose commits take requestTime each, and what counts them.
func slowStore(t *testing.T) (*mapstore.Store, *mapstoretest.Failure) {
	api := mapstoretest.NewAPI(t)
	store := api.Open(t, "settings", mapstore.Options{})
	write(t, store, "created") // by two requests, which are not counted
	return store, api.Fail(mapstoretest.Slow(requestTime), "update")
}

func write(t *testing.T, store *mapstore.Store, key string) {
	if err := store.Set(t.Context(), key, time.Now().String()); err != nil {
		t.Error(err)
	}
}

func TestWritersWhoWriteOnShareEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, requests := slowStore(t)
		write(t, store, "slow") // from it the store learns how long a request takes
		before := requests.Met()
		const writes = 20
		var writers sync.WaitGroup
		for i := range 8 {
			key := string(rune('a' + i))
			writers.Go(func() {
				for range writes {
					write(t, store, key)
					time.Sleep(time.Duration(i) * 50 * time.Microsecond)
				}
			})
		}
		writers.Wait()
		// The first may go alone, and the last may have to.
		if sent := requests.Met() - before; sent > writes+2 {
			t.Errorf("%d requests carried 8 times %d writes", sent, writes)
		}
	})
}

func TestAStoreThatWaitedInVainWaitsLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := slowStore(t)
		write(t, store, "slow")
		ended := make(chan struct{})
		var occasional sync.WaitGroup
		occasional.Go(func() { // joins one request of the other, and is not there for the next
			for {
				select {
				case <-ended:
					return
				case <-time.After(3 * requestTime):
					write(t, store, "b")
				}
			}
		})
		waits := 0
		for range 200 {
			began := time.Now()
			write(t, store, "a")
			if waited := time.Since(began) - requestTime; waited == time.Millisecond {
				waits++
			}
		}
		// Otherwise it is fifty: one for each time that the other has joined.
		if waits > 20 {
			t.Errorf("it has waited in vain %d times", waits)
		}
		close(ended)
		occasional.Wait()
	})
}
