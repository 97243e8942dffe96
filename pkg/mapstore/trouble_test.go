package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// Whatever happens to requests, and at whatever moment callers and stores give up: what is
// acknowledged is there once, what failed is not there, what is unknown is there at most
// once, and whoever follows ends where the map does.
func TestRandomTroubleLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	randomTrouble(t, 30, 6, func(t *testing.T, api *mapstoretest.API, opts mapstore.Options) *mapstore.Store {
		return api.Open(t, "settings", opts)
	})
}

// The same of stores of families, whose map now and then is not one of theirs for a while.
func TestRandomTroubleLosesAndDoublesNothingInFamilies(t *testing.T) {
	t.Parallel()
	randomTrouble(t, 10, 7, func(t *testing.T, api *mapstoretest.API, opts mapstore.Options) *mapstore.Store {
		return api.OpenFamily(t, selector, opts).Store("settings")
	})
}

// randomTrouble makes trouble of so many kinds, with so many seeds.
func randomTrouble(t *testing.T, seeds, kinds int, open func(*testing.T, *mapstoretest.API, mapstore.Options) *mapstore.Store) {
	if testing.Short() {
		seeds = 5
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { trouble(t, seed, kinds, open) })
		})
	}
}

func trouble(t *testing.T, seed uint64, kinds int, open func(*testing.T, *mapstoretest.API, mapstore.Options) *mapstore.Store) {
	var mu sync.Mutex // protects random and outcomes
	random := rand.New(rand.NewPCG(seed, 7))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	outcomes := make(map[string]error)

	api := mapstoretest.NewAPI(t)
	settings := ours(api, "settings")
	peers := []*mapstoretest.API{api, api.Peer()}
	var stores []*mapstore.Store
	var folds []*fold
	for _, peer := range peers {
		store := open(t, peer, mapstore.Options{MaxBackoff: 100 * time.Millisecond})
		stores = append(stores, store)
		folds = append(folds, follow(store), follow(store, mapstore.Prefix("log-1")))
	}
	leaver := open(t, peers[1], mapstore.Options{}) // is closed in the middle
	stores = append(stores, leaver)

	var writers sync.WaitGroup
	for i, store := range stores {
		for j := range 2 {
			key := fmt.Sprintf("log-%d", j)
			writers.Go(func() {
				for n := range 25 {
					token := fmt.Sprintf("<%d.%d.%d>", i, j, n)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+draw(3000))*time.Millisecond)
					_, err := store.Update(ctx, func(tx *mapstore.Tx) error {
						log, _ := tx.Get(key)
						tx.Set(key, log+token)
						return nil
					})
					cancel()
					mu.Lock()
					outcomes[token] = err
					mu.Unlock()
					time.Sleep(time.Duration(draw(200)) * time.Millisecond)
				}
			})
		}
	}
	faults := []func() mapstoretest.Fault{
		mapstoretest.LostAnswer, mapstoretest.LostRequest, mapstoretest.Hang, mapstoretest.Refused,
		func() mapstoretest.Fault { return mapstoretest.Slow(time.Duration(draw(3000)) * time.Millisecond) },
		func() mapstoretest.Fault { return mapstoretest.Answer(apierrors.NewTooManyRequests("busy", 1)) },
		func() mapstoretest.Fault { return mapstoretest.Answer(apierrors.NewInternalError(errors.New("no"))) },
	}
	verbs := [][]string{nil, {"update"}, {"update", "get"}, {"watch"}, {"get", "list"}, {"patch"}}
	ledgers := []string{"", "x y z", "AAAABBBBCCCC"}
	var failures []*mapstoretest.Failure
	for step := range 40 {
		switch draw(kinds) {
		case 0:
			settings.Set("foreign", fmt.Sprint(step))
		case 1:
			ledger := ledgers[draw(len(ledgers))]
			if settings.Get() != nil {
				settings.Edit(func(cm *corev1.ConfigMap) { cm.Annotations = map[string]string{"mapstore/commits": ledger} })
			}
		case 2:
			api.Compact()
			failures = append(failures, api.FailNext(1, mapstoretest.Expired()), api.FailNext(1+draw(3), mapstoretest.Conflict(), "update"))
		case 6:
			if settings.Get() != nil {
				relabel(api, "settings", "bakery")
				time.Sleep(time.Duration(draw(500)) * time.Millisecond)
				relabel(api, "settings", "shop")
			}
		default:
			fault, peer, verbs := faults[draw(len(faults))](), peers[draw(len(peers))], verbs[draw(len(verbs))]
			if draw(2) == 0 {
				failures = append(failures, peer.FailNext(1+draw(3), fault, verbs...))
			} else {
				failure := peer.Fail(fault, verbs...)
				time.AfterFunc(time.Duration(draw(2000))*time.Millisecond, failure.End)
			}
		}
		if step == 20 {
			leaver.Close()
		}
		time.Sleep(time.Duration(draw(300)) * time.Millisecond)
	}
	writers.Wait()
	for _, failure := range failures {
		failure.End()
	}
	time.Sleep(30 * time.Second) // all is well again
	for _, store := range stores[:2] {
		write(t, store, "end")
		if err := store.Check(nil); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(5 * time.Second) // a watch may be between its end and the next one

	final := settings.Values()
	logs := final["log-0"] + final["log-1"]
	acknowledged := 0
	for token, err := range outcomes {
		n := strings.Count(logs, token)
		switch {
		case err == nil:
			acknowledged++
			if n != 1 {
				t.Errorf("%s was acknowledged, and is there %d times", token, n)
			}
		case errors.Is(err, mapstore.ErrUnknownOutcome):
			if n > 1 {
				t.Errorf("%s is unknown, and is there %d times", token, n)
			}
		case n != 0:
			t.Errorf("%s is there %d times, and had failed: %v", token, n, err)
		}
	}
	if acknowledged < 20 {
		t.Errorf("only %d writes went through", acknowledged)
	}
	synctest.Wait()
	for _, f := range folds {
		if want := f.of(final); !maps.Equal(f.values, want) {
			t.Errorf("a subscriber has come to %d keys, want %d", len(f.values), len(want))
		}
	}
}

// A fold is what a subscriber makes of its changes.
type fold struct {
	values  map[string]string
	filters []mapstore.Filter
}

func follow(store *mapstore.Store, filters ...mapstore.Filter) *fold {
	f := &fold{make(map[string]string), filters}
	store.OnChange(func(change mapstore.Change) {
		for key, delta := range change.Deltas() {
			if f.values[key] = delta.New; delta.Op == mapstore.Removed {
				delete(f.values, key)
			}
		}
	}, filters...)
	return f
}

// of returns what the subscriber sees of a map.
func (f *fold) of(values map[string]string) map[string]string {
	seen := make(map[string]string)
	for key, value := range values {
		if len(f.filters) == 0 || f.filters[0](key) {
			seen[key] = value
		}
	}
	return seen
}
