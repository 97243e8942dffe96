package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// newStore returns a store that is not running.
func newStore(t testing.TB, namespace, name string) *mapstore.Store {
	t.Helper()
	store, err := mapstore.New(fake.NewClientset(), namespace, name, mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// running returns a store of the map ns/settings that has been synced.
func running(t testing.TB) *mapstore.Store {
	t.Helper()
	return mapstoretest.NewAPI(t).Open(t, "settings", mapstore.Options{Namespace: "ns"})
}

// registered returns a registry that exports the stores. A pedantic one holds what is
// collected against what was described.
func registered(stores ...*mapstore.Store) *prometheus.Registry {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.NewCollector(stores...))
	return reg
}

// gather returns each series with its value; of a summary, its count.
func gather(t testing.TB, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += "," + label.GetName() + "=" + label.GetValue()
			}
			switch family.GetType() {
			case dto.MetricType_GAUGE:
				values[name] = m.GetGauge().GetValue()
			case dto.MetricType_COUNTER:
				values[name] = m.GetCounter().GetValue()
			case dto.MetricType_SUMMARY:
				values[name] = float64(m.GetSummary().GetSampleCount())
			default:
				t.Errorf("%s is a %v", name, family.GetType())
			}
		}
	}
	return values
}

const settings = ",configmap=settings,namespace=ns"

func TestMetricsFollowTheConventions(t *testing.T) {
	reg := registered(running(t), newStore(t, "ns", "not-started"))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if got := gather(t, reg); got["mapstore_healthy"+settings] != 1 || got["mapstore_healthy,configmap=not-started,namespace=ns"] != 0 {
		t.Errorf("health of both stores: %v", got)
	}
}

func TestStoresOfOneMapAreRefusedAtRegistration(t *testing.T) {
	first, second := newStore(t, "ns", "settings"), newStore(t, "ns", "settings")
	other := newStore(t, "other", "settings")
	reg := prometheus.NewPedanticRegistry()

	if err := reg.Register(metrics.NewCollector(first, other, second)); err == nil || !strings.Contains(err.Error(), "ns/settings") {
		t.Errorf("one collector with two stores of one map: %v", err)
	}
	if err := reg.Register(metrics.NewCollector(first, other)); err != nil {
		t.Errorf("maps of one name in two namespaces: %v", err)
	}
	if err := reg.Register(metrics.NewCollector(second, newStore(t, "ns", "more"))); err == nil {
		t.Error("a second collector with a store of the same map is registered")
	}
	if got := gather(t, reg); len(got) == 0 {
		t.Error("nothing is left after a collector was refused")
	}
	if !reg.Unregister(metrics.NewCollector(second, other)) {
		t.Error("a collector of the same maps does not unregister the first")
	}
	reg.MustRegister(metrics.NewCollector(second))
}

func TestStoresOfOneMapCanHaveALabelOfTheirOwn(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, cluster := range []string{"east", "west"} {
		prometheus.WrapRegistererWith(prometheus.Labels{"cluster": cluster}, reg).
			MustRegister(metrics.NewCollector(newStore(t, "ns", "settings")))
	}
	got := gather(t, reg)
	for _, cluster := range []string{"east", "west"} {
		if _, ok := got["mapstore_healthy,cluster="+cluster+settings]; !ok {
			t.Errorf("no store of cluster %s in %v", cluster, got)
		}
	}
}

func TestAScrapeWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := running(t)
		reg := registered(store)
		release := make(chan struct{})
		store.OnChange(func(mapstore.Change) { <-release })
		if err := store.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		update := func() {
			_, _ = store.Update(t.Context(), func(*mapstore.Tx) error {
				<-release
				return nil
			})
		}
		go update()
		synctest.Wait() // its turn has come, so that the others queue up
		go update()
		go update()
		time.Sleep(20 * time.Second) // of the bubble's clock

		begun := time.Now()
		got := gather(t, reg)
		if took := time.Since(begun); took != 0 { // in a bubble, any wait takes time
			t.Errorf("it took %v", took)
		}
		if lag := got["mapstore_subscription_lag_seconds"+settings]; lag != 20 {
			t.Errorf("a lag of %v s, want 20", lag)
		}
		if queued := got["mapstore_queued_transactions"+settings]; queued != 2 {
			t.Errorf("%v queued, want 2", queued)
		}
		close(release)
		synctest.Wait()
		store.Close()
	})
}

func TestAStoreThatIsNotCurrentIsUnhealthy(t *testing.T) {
	store := newStore(t, "ns", "settings")
	reg := registered(store)
	before := gather(t, reg)
	if before["mapstore_healthy"+settings] != 0 || before["mapstore_synced"+settings] != 0 {
		t.Errorf("before Start: %v", before)
	}
	for _, name := range []string{"mapstore_last_contact_timestamp_seconds", "mapstore_revision"} {
		if value, ok := before[name+settings]; ok {
			t.Errorf("%s is %v before Start", name, value)
		}
	}
	for _, outcome := range []string{"applied", "aborted", "failed", "unknown"} {
		if value, ok := before["mapstore_transactions_total"+settings+",outcome="+outcome]; !ok || value != 0 {
			t.Errorf("%s transactions before Start: %v, %v", outcome, value, ok)
		}
	}
	go store.Start(context.Background()) //nolint:errcheck // it was not started before
	if err := store.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := gather(t, reg)["mapstore_healthy"+settings]; got != 1 {
		t.Errorf("healthy is %v once it is synced", got)
	}
	store.Close()
	after := gather(t, reg)
	if after["mapstore_healthy"+settings] != 0 || after["mapstore_synced"+settings] != 1 {
		t.Errorf("after Close: %v", after)
	}
}

// The limit is not the library's to tell, so it stands here once more.
func TestTheLimitIsThatOfTheStore(t *testing.T) {
	store := running(t)
	reg := registered(store)
	if err := store.Set(t.Context(), "k", strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if got := gather(t, reg)["mapstore_size_limit_ratio"+settings]; got != 1 {
		t.Errorf("a full map is %v full", got)
	}
	if err := store.Set(t.Context(), "k", strings.Repeat("x", 1<<20+1)); !errors.Is(err, mapstore.ErrTooLarge) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
}

func TestNothingOfTheContentsIsExported(t *testing.T) {
	store := running(t)
	store.OnChange(func(mapstore.Change) { panic("canary") })
	if err := store.Set(t.Context(), "canary-key", "canary-value"); err != nil {
		t.Fatal(err)
	}
	families, err := registered(store).Gather()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(families); strings.Contains(text, "canary") || !strings.Contains(text, "mapstore_keys") {
		t.Error(text)
	}
}

// A family is one more map, beside the stores of maps; what is wrong with one of its maps shows.
func TestAFamilyIsExportedAsAWhole(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	for name, value := range map[string]string{"a": "12345", "b": "1"} {
		api.ConfigMap("default", name).Labelled(map[string]string{"app": "shop"}).Set("k", value)
	}
	family := api.OpenFamily(t, "app=shop", mapstore.Options{})
	if err := family.Store("b").Set(t.Context(), "l", "2"); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.NewFamilyCollector(family), metrics.NewCollector(family.Store("a")))
	want := `
# HELP mapstore_keys Keys in the map.
# TYPE mapstore_keys gauge
mapstore_keys{configmap="a",namespace="default"} 1
mapstore_keys{configmap="app=shop",namespace="default"} 3
# HELP mapstore_size_bytes Bytes of the values in the map.
# TYPE mapstore_size_bytes gauge
mapstore_size_bytes{configmap="a",namespace="default"} 5
mapstore_size_bytes{configmap="app=shop",namespace="default"} 5
# HELP mapstore_commits_total Write requests that were applied, or confirmed that there was nothing to change. Each carries one or more transactions.
# TYPE mapstore_commits_total counter
mapstore_commits_total{configmap="a",namespace="default"} 0
mapstore_commits_total{configmap="app=shop",namespace="default"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "mapstore_keys", "mapstore_size_bytes", "mapstore_commits_total"); err != nil {
		t.Error(err)
	}
}
