// Package metrics holds module metrics to a real API server, and what goes with
// it to a real Prometheus: its lint, its parser and its query engine. The module
// itself should not bring all of that to those who import it.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// plane is the control plane that all tests share.
var plane *kube.ControlPlane

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	plane, err = kube.Start(context.Background(), kube.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Fprintln(os.Stderr, err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := plane.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 { // a test that failed may have had no chance to clean up
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// A target is a process with one store, as Prometheus sees it.
type target struct {
	*testing.T
	store *mapstore.Store
	url   string
}

func newTarget(t *testing.T) *target {
	t.Helper()
	namespace, err := plane.Namespace(t.Context(), "metrics")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	store, err := mapstore.New(client, namespace, "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Start(context.Background()) }()
	t.Cleanup(func() {
		store.Close()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := store.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.NewCollector(store))
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(server.Close)
	return &target{t, store, server.URL}
}

// page is what /metrics answers.
func (g *target) page() string {
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
	return string(body)
}

func (g *target) scrape() map[string]*dto.MetricFamily {
	g.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(g.page()))
	if err != nil {
		g.Fatal(err)
	}
	return families
}

// work has every counter of writes move, but for conflicts and unknown outcomes,
// which are not to be had in peace.
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
