package mapstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Of several who share a request, one cannot be served: a policy forbids its value, or
// a webhook trips over it, so that nobody knows whether such a request was applied.
func TestWhatTheServerDoesNotCopeWithHoldsUpNobodyElse(t *testing.T) {
	for name, row := range map[string]struct {
		answer *apierrors.StatusError
		is     func(error) bool
		least  int // how often the server meets it: in company, and alone
		most   int
	}{
		"a policy": {apierrors.NewForbidden(corev1.Resource("configmaps"), "settings", errors.New("a policy")), apierrors.IsForbidden, 2, 2},
		"a webhook": {apierrors.NewInternalError(errors.New("a webhook has tripped")),
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }, 2 * 3, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				api.ConfigMap("default", "settings").Put(map[string]string{"k": "v"})
				tripping := api.Peer()
				trips := tripping.Fail(mapstoretest.Answer(row.answer), "update")
				hang := api.FailNext(1, mapstoretest.Hang(), "update")
				store := startOn(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
					if bytes.Contains(body, []byte("poison")) {
						next = tripping.Config().Transport
					}
					return next.RoundTrip(r)
				})
				var all sync.WaitGroup
				all.Go(func() { write(t, store, "first") })
				synctest.Wait() // its request hangs, and the others gather
				for value, timeout := range map[string]time.Duration{"poison": time.Minute, "good": 6 * time.Second, "fine": 6 * time.Second} {
					all.Go(func() {
						if err := store.Set(within(t, timeout), value, value); value == "poison" && !row.is(err) || value != "poison" && err != nil {
							t.Errorf("%s: %v", value, err)
						}
					})
				}
				synctest.Wait()
				hang.End()
				all.Wait()
				if got := values(api); len(got) != 4 || got["good"] == "" || got["fine"] == "" {
					t.Errorf("the map is %v", got)
				}
				if n := trips.Met(); n < row.least || n > row.most {
					t.Errorf("the server has met it %d times", n)
				}
			})
		})
	}
}

const requestTime = 10 * time.Millisecond

// slowStore returns a store whose commits take requestTime each, which it knows, and
// what counts them.
func slowStore(t *testing.T) (*mapstore.Store, *mapstoretest.Failure) {
	api, store := started(t)
	requests := api.Fail(mapstoretest.Slow(requestTime), "update")
	write(t, store, "slow")
	return store, requests
}

func TestWritersWhoWriteOnShareEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, requests := slowStore(t)
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
