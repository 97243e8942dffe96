// Package metrics holds what goes with module metrics to a real Prometheus: its parser
// and its query engine. The module itself should not bring all of that to those who
// import it.
package metrics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A target is a process with one store, as Prometheus sees it.
type target struct {
	*testing.T
	store *mapstore.Store
	url   string
}

func newTarget(t *testing.T) *target {
	t.Helper()
	store := mapstoretest.NewAPI(t).Open(t, "settings", mapstore.Options{})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.NewCollector(store))
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(server.Close)
	return &target{t, store, server.URL}
}

func (g *target) scrape() map[string]*dto.MetricFamily {
	g.Helper()
	response, err := http.Get(g.url)
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		g.Fatalf("%s, %v: %s", response.Status, err, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
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
	if _, err := g.store.Update(g.Context(), func(tx *mapstore.Tx) error {
		tx.Set("big", strings.Repeat("x", 1<<20))
		return nil
	}); !errors.Is(err, mapstore.ErrTooLarge) {
		g.Fatal(err)
	}
}
