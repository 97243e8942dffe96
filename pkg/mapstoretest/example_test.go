package mapstoretest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// What follows is how tests of one's own code look. An Example has no testing.TB,
// so these are tests, of two small services.

// A limiter follows the key "limit" of a map.
type limiter struct {
	store *mapstore.Store
	limit atomic.Int64
}

func newLimiter(store *mapstore.Store) *limiter {
	l := &limiter{store: store}
	store.OnChange(func(change mapstore.Change) {
		value, _ := change.New.Get("limit")
		if n, err := strconv.Atoi(value); err == nil { // or it keeps the last good one
			l.limit.Store(int64(n))
		}
	}, mapstore.Keys("limit"))
	return l
}

// ready is for a readiness probe.
func (l *limiter) ready() error { return l.store.Check(nil) }

// A till counts what it has sold, in the map, for all tills together.
type till struct{ store *mapstore.Store }

// sell reports whether a sale is booked. A sale of which that is not known is not
// booked again, but put aside for somebody to look at.
func (t till) sell(ctx context.Context) (aside bool, err error) {
	_, err = t.store.Update(ctx, func(tx *mapstore.Tx) error {
		value, _ := tx.Get("sold")
		sold, _ := strconv.Atoi(value) // 0 at first
		tx.Set("sold", strconv.Itoa(sold+1))
		return nil
	})
	if errors.Is(err, mapstore.ErrUnknownOutcome) {
		return true, nil
	}
	return false, err
}

func TestTheLimitIsThatOfTheMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(mapstoretest.NewStore(t, map[string]string{"limit": "10"}))
		synctest.Wait() // until all callbacks have run
		if got := l.limit.Load(); got != 10 {
			t.Errorf("limit = %d", got)
		}
	})
}

func TestTheLimitFollowsTheMapAndKeepsTheLastGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"limit": "10"})
		l := newLimiter(api.Open(t, "settings", mapstore.Options{}))
		for _, step := range []struct {
			write string
			want  int64
		}{{"20", 20}, {"many", 20}, {"30", 30}} {
			settings.Set("limit", step.write)
			synctest.Wait()
			if got := l.limit.Load(); got != step.want {
				t.Errorf("limit = %d after a write of %q, want %d", got, step.write, step.want)
			}
		}
		settings.Delete()
		synctest.Wait()
		if got := l.limit.Load(); got != 30 {
			t.Errorf("limit = %d without a map", got)
		}
	})
}

// An hour of outage takes milliseconds.
func TestTheServiceIsUnreadyThroughAnOutageAndServesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Put(map[string]string{"limit": "10"})
		l := newLimiter(api.Open(t, "settings", mapstore.Options{}))

		outage := api.Fail(mapstoretest.Refused())
		time.Sleep(time.Hour)
		if l.ready() == nil || l.limit.Load() != 10 {
			t.Errorf("ready: %v, limit = %d", l.ready(), l.limit.Load())
		}

		outage.End()
		time.Sleep(5 * time.Second)
		if err := l.ready(); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

func TestASaleIsBookedOnceWhenItsAnswerIsLost(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	sales := till{api.Open(t, "sales", mapstore.Options{})}
	lost := api.FailNext(1, mapstoretest.LostAnswer(), "update")
	if aside, err := sales.sell(t.Context()); aside || err != nil {
		t.Errorf("sell: %v, %v", aside, err)
	}
	if sold := api.ConfigMap("default", "sales").Values()["sold"]; sold != "1" || lost.Met() != 1 {
		t.Errorf("%s sold, %d answers lost", sold, lost.Met())
	}
}

// The answer is lost, and so is the server by which the store would find out.
func TestASaleIsPutAsideWhenNobodyKnowsWhetherItIsBooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		sales := till{api.Open(t, "sales", mapstore.Options{})}
		if _, err := sales.sell(t.Context()); err != nil {
			t.Fatal(err)
		}
		api.Fail(mapstoretest.Refused())
		api.FailNext(1, mapstoretest.LostAnswer(), "update")
		if aside, err := sales.sell(t.Context()); !aside || err != nil { // after 30 s, WriteTimeout
			t.Errorf("sell: %v, %v", aside, err)
		}
		if sold := api.ConfigMap("default", "sales").Values()["sold"]; sold != "2" {
			t.Errorf("%s sold", sold)
		}
	})
}

func TestASaleWithoutTheRightToItFails(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	sales := till{api.Open(t, "sales", mapstore.Options{})}
	api.ConfigMap("default", "sales").Set("sold", "7")
	denied := api.Fail(mapstoretest.Forbidden(), "update", "patch")
	if _, err := sales.sell(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("sell: %v", err)
	}
	denied.End()
	if _, err := sales.sell(t.Context()); err != nil {
		t.Errorf("sell: %v", err)
	}
}

// Whoever opens a store by itself finds the API server by the environment.
func TestAProgramThatOpensItsStore(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	api.ConfigMap("default", "settings").Set("greeting", "hello")
	t.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", api.Kubeconfig())
	t.Setenv("NAMESPACE", "")

	store, err := mapstore.Open(t.Context(), "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if greeting, _ := store.Get("greeting"); greeting != "hello" {
		t.Errorf("greeting = %q", greeting)
	}
	if err := store.Set(t.Context(), "greeting", "bye"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(api.ConfigMap("default", "settings").Values()); got != "map[greeting:bye]" {
		t.Errorf("the map holds %s", got)
	}
}
