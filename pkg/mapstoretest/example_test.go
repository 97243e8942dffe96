package mapstoretest_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// What follows is how tests of one's own code look. An Example has no testing.TB,
// so these are tests, of a small service.

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

func TestTheLimitIsThatOfTheMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(mapstoretest.NewStore(t, map[string]string{"limit": "10"}))
		synctest.Wait() // until all callbacks have run
		if got := l.limit.Load(); got != 10 {
			t.Errorf("limit = %d", got)
		}
	})
}

// An hour of outage takes milliseconds.
func TestTheLimitFollowsTheMapAndOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		l := newLimiter(api.Open(t, "settings", mapstore.Options{}))
		expect := func(limit int64, ready bool) {
			t.Helper()
			synctest.Wait()
			if got := l.limit.Load(); got != limit || (l.ready() == nil) != ready {
				t.Errorf("limit = %d, want %d; ready: %v", got, limit, l.ready())
			}
		}
		settings.Set("limit", "20")
		expect(20, true)
		settings.Set("limit", "many")
		expect(20, true)

		outage := api.Fail(mapstoretest.Refused())
		settings.Set("limit", "30")
		time.Sleep(time.Hour)
		expect(20, false)
		outage.End()
		time.Sleep(5 * time.Second)
		expect(30, true)
	})
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
