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

// An error counts only if what it comes from does: one transaction claims a key,
// the next one of the same request finds it claimed, and then the server refuses
// the request, or not.
func TestAnErrorThatComesFromWhatIsNotCommittedDoesNotCount(t *testing.T) {
	for name, refuse := range map[string]bool{"the request is refused": true, "the request is applied": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				api.ConfigMap("default", "settings").Put(map[string]string{"owner": ""})
				store := api.Open(t, "settings", mapstore.Options{})
				hang := api.FailNext(1, mapstoretest.Hang(), "update")
				var all sync.WaitGroup
				all.Go(func() { write(t, store, "first") })
				synctest.Wait() // its request hangs, and the others gather
				taken := errors.New("taken")
				isTaken := func(err error) bool { return errors.Is(err, taken) }
				isNil := func(err error) bool { return err == nil }
				claim := func(name string, expected func(error) bool) {
					all.Go(func() {
						_, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
							if owner, _ := tx.Get("owner"); owner != "" {
								return taken
							}
							tx.Set("owner", name)
							return nil
						})
						if !expected(err) {
							t.Errorf("%s: %v", name, err)
						}
					})
					synctest.Wait()
				}
				if refuse {
					claim("A", apierrors.IsForbidden)
					claim("B", isNil)
					api.FailNext(1, mapstoretest.Answer(apierrors.NewForbidden(corev1.Resource("configmaps"), "settings", errors.New("a policy"))), "update")
				} else {
					claim("A", isNil)
					claim("B", isTaken)
				}
				all.Go(func() {
					defer func() {
						if recover() != "bang" {
							t.Error("the panic has not reached its caller")
						}
					}()
					_, _ = store.Update(t.Context(), func(*mapstore.Tx) error { panic("bang") })
				})
				synctest.Wait()
				hang.End()
				all.Wait()
				write(t, store, "last")
				want := map[bool]string{true: "B", false: "A"}[refuse]
				if owner, _ := store.Get("owner"); owner != want {
					t.Errorf("owner = %q, want %q", owner, want)
				}
			})
		})
	}
}

// One transaction makes the server answer 500, as a webhook does that trips over
// its value. Nobody knows whether such a request was applied.
func TestWhatTheServerDoesNotCopeWithHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"first": "1"})
		tripping := api.Peer()
		trips := tripping.Fail(mapstoretest.Answer(apierrors.NewInternalError(errors.New("a webhook has tripped"))), "update")
		store := startOn(t, api, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut {
				return next.RoundTrip(r)
			}
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
		for value, timeout := range map[string]time.Duration{"poison": time.Minute, "good": 5 * time.Second, "fine": 5 * time.Second} {
			all.Go(func() {
				switch err := store.Set(within(t, timeout), value, value); {
				case value != "poison" && err != nil:
					t.Errorf("%s: %v", value, err)
				case value == "poison" && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("%s: %v", value, err)
				}
			})
		}
		all.Wait()
		if got := settings.Values(); len(got) != 3 || got["good"] == "" || got["fine"] == "" {
			t.Errorf("the map is %v", got)
		}
		if n := trips.Met(); n < 2*3 || n > 200 { // in company, and alone; but not as often as it can
			t.Errorf("the server has tripped %d times", n)
		}
	})
}
