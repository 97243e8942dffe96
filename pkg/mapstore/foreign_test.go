package mapstore_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Somebody puts the same ledger back right behind each commit, whose answer is
// lost: a tool that applies a manifest again and again, with the annotation in it.
func TestALedgerThatIsPutBackDoublesNothing(t *testing.T) {
	for name, ledger := range map[string]string{"garbage": "x y z", "an older one": "AAAABBBBCCCC AAAABBBBCCCD"} {
		for situation, row := range map[string]struct{ watching, other bool }{
			"seen by the watch": {watching: true},
			"the watch is gone": {},
			"the watch is gone, and another store, which has one, commits": {other: true},
		} {
			t.Run(name+", "+situation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := mapstoretest.NewAPI(t)
					settings := api.ConfigMap("default", "settings")
					put := func() {
						settings.Edit(func(cm *corev1.ConfigMap) {
							cm.Annotations = map[string]string{"mapstore/commits": ledger}
						})
					}
					put()
					other := api.Peer().Open(t, "settings", mapstore.Options{})
					store := startOn(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						response, err := next.RoundTrip(r)
						if err != nil {
							return nil, err
						}
						response.Body.Close()
						put()
						if synctest.Wait(); row.other {
							write(t, other, rand.Text())
						}
						return nil, errors.New("the answer is lost")
					})
					if !row.watching {
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
					if row.watching != (unknown == 0) {
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

// A policy takes the ledger off each commit, or puts the one before back. What is lost
// then cannot be found out; nothing is applied twice.
func TestAPolicyThatChangesTheLedgerDoublesNothing(t *testing.T) {
	for name, policy := range map[string]func(sent, before map[string]string){
		"strips it":   func(sent, _ map[string]string) { delete(sent, "mapstore/commits") },
		"restores it": func(sent, before map[string]string) { sent["mapstore/commits"] = before["mapstore/commits"] },
	} {
		for _, foreign := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := mapstoretest.NewAPI(t)
					settings := api.ConfigMap("default", "settings")
					settings.Put(map[string]string{"n": "0"})
					var lose atomic.Int32
					config := api.Config()
					config.ContentType = "application/json"
					store := startOn(t, config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						var object corev1.ConfigMap
						if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
							return nil, err
						}
						policy(object.Annotations, settings.Get().Annotations)
						body, err := json.Marshal(object)
						if err != nil {
							return nil, err
						}
						r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
						response, err := next.RoundTrip(r)
						if err == nil && lose.Add(-1) == 0 {
							response.Body.Close()
							if foreign {
								settings.Put(map[string]string{"n": "5"})
							}
							return nil, io.ErrUnexpectedEOF
						}
						return response, err
					})
					lose.Store(3)
					acknowledged, unknown := 0, 0
					for range 6 {
						switch _, err := store.Update(within(t, 10*time.Second), increment); {
						case err == nil:
							acknowledged++
						case errors.Is(err, mapstore.ErrUnknownOutcome):
							unknown++
						default:
							t.Error(err)
						}
					}
					want := acknowledged + unknown
					if foreign { // which has set it to five, and counts from there
						want = 5 + 3
					}
					if unsigned := store.Stats().Unsigned; unsigned < 4 {
						t.Errorf("%d commits without an id are counted", unsigned)
					}
					if n := settings.Values()["n"]; unknown != 1 || n != strconv.Itoa(want) {
						t.Errorf("n = %s after %d increments and %d of unknown outcome", n, acknowledged, unknown)
					}
				})
			})
		}
	}
}
