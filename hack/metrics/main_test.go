// Package metrics holds what goes with module metrics to a real Prometheus: its parser
// and its query engine. The module itself should not bring all of that to those who
// import it.
package metrics

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A target is a process with one store, as Prometheus sees it.
type target struct {
	*testing.T
	store    *mapstore.Store
	registry *prometheus.Registry
}

func newTarget(t *testing.T) *target {
	t.Helper()
	return targetOf(t, mapstoretest.NewAPI(t).Open(t, "settings", mapstore.Options{}))
}

// newRestored returns a target that serves a backup.
func newRestored(t *testing.T) *target {
	t.Helper()
	api, opts := mapstoretest.NewAPI(t), mapstore.Options{Backup: filepath.Join(t.TempDir(), "settings")}
	api.Open(t, "settings", opts).Close()
	api.Fail(mapstoretest.Refused())
	store := api.Start(t, "settings", opts)
	if _, err := store.WaitUntil(t.Context(), func(*mapstore.Snapshot) bool { return !store.Status().Restored.IsZero() }); err != nil {
		t.Fatal(err)
	}
	return targetOf(t, store)
}

func targetOf(t *testing.T, store *mapstore.Store) *target {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewCollector(store))
	return &target{t, store, registry}
}

func (g *target) scrape() []*dto.MetricFamily {
	g.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		g.Fatal(err)
	}
	return families
}

// work makes every counter of writes grow, except for conflicts and unknown outcomes,
// which a healthy store does not have.
func (g *target) work() {
	g.Helper()
	for i := range 3 {
		if err := g.store.Set(g.Context(), fmt.Sprintf("k%d", i), time.Now().String()); err != nil {
			g.Fatal(err)
		}
	}
	onPurpose := errors.New("on purpose")
	if _, err := g.store.Update(g.Context(), func(*mapstore.Tx) error { return onPurpose }); !errors.Is(err, onPurpose) {
		g.Fatal(err)
	}
	if err := g.store.Set(g.Context(), "big", strings.Repeat("x", 1<<20)); !errors.Is(err, mapstore.ErrTooLarge) {
		g.Fatal(err)
	}
}
