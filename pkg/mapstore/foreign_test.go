package mapstore_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Somebody puts the same ledger back right behind each commit, whose answer is
// lost: a tool that applies a manifest again and again, with the annotation in it.
func TestALedgerThatIsPutBackDoublesNothing(t *testing.T) {
	for name, ledger := range map[string]string{"garbage": "x y z", "an older one": "AAAABBBBCCCC AAAABBBBCCCD"} {
		for name, watching := range map[string]bool{name + ", seen by the watch": true, name + ", the watch is gone": false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := mapstoretest.NewAPI(t)
					settings := api.ConfigMap("default", "settings")
					put := func() {
						settings.Edit(func(cm *corev1.ConfigMap) {
							cm.Annotations = map[string]string{"mapstore/commits": ledger}
						})
					}
					settings.Put(map[string]string{"n": "0"})
					put()
					store := startOn(t, api, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						response, err := next.RoundTrip(r)
						if err != nil || r.Method != http.MethodPut {
							return response, err
						}
						response.Body.Close()
						put()
						return nil, errors.New("the answer is lost")
					})
					if !watching {
						api.Fail(mapstoretest.Refused(), "watch")
					}
					acknowledged, unknown := 0, 0
					for range 20 {
						_, err := store.Update(t.Context(), increment)
						switch {
						case err == nil:
							acknowledged++
						case errors.Is(err, mapstore.ErrUnknownOutcome):
							unknown++
						default:
							t.Fatal(err)
						}
					}
					if watching != (unknown == 0) {
						t.Errorf("%d unknown outcomes", unknown)
					}
					if got := settings.Values()["n"]; got != "20" {
						t.Errorf("the counter is %s after %d acknowledged and %d unknown, each of which was applied", got, acknowledged, unknown)
					}
				})
			})
		}
	}
}

// startOn returns a store, synced, whose requests go through the function.
func startOn(t *testing.T, api *mapstoretest.API, through func(http.RoundTripper, *http.Request) (*http.Response, error)) *mapstore.Store {
	t.Helper()
	config := api.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return through(next, r) })
	})
	return start(t, config)
}

// start returns a store, synced, on what config leads to.
func start(t *testing.T, config *rest.Config) *mapstore.Store {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	store, err := mapstore.New(client, "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	(&cluster{T: t}).start(store)
	return store
}
