package metrics

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

func TestAScrapeOfAStoreOnARealAPIServer(t *testing.T) {
	g := newTarget(t)
	g.work()
	families, status, stats := g.scrape(), g.store.Status(), g.store.Stats()

	only := func(name string) *dto.Metric {
		t.Helper()
		family := families[name]
		if len(family.GetMetric()) != 1 {
			t.Fatalf("%s: %v", name, family)
		}
		return family.GetMetric()[0]
	}
	revision, err := strconv.ParseFloat(status.Revision, 64)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"mapstore_healthy":    1,
		"mapstore_synced":     1,
		"mapstore_exists":     1,
		"mapstore_revision":   revision,
		"mapstore_keys":       3,
		"mapstore_size_bytes": float64(status.Bytes),
	} {
		if got := only(name).GetGauge().GetValue(); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if got := only("mapstore_commits_total").GetCounter().GetValue(); got != 3 {
		t.Errorf("%v commits, want 3", got)
	}
	requests := only("mapstore_write_request_duration_seconds").GetSummary()
	if requests.GetSampleCount() != stats.Requests || requests.GetSampleSum() != stats.RequestTime.Seconds() || requests.GetSampleSum() <= 0 {
		t.Errorf("%v, want %d requests in %v", requests, stats.Requests, stats.RequestTime)
	}
	contact := only("mapstore_last_contact_timestamp_seconds").GetGauge().GetValue()
	if age := float64(time.Now().UnixNano())/1e9 - contact; age < 0 || age > 60 {
		t.Errorf("the API server was last heard of %v s ago", age)
	}
	outcomes := map[string]float64{}
	for _, m := range families["mapstore_transactions_total"].GetMetric() {
		for _, label := range m.GetLabel() {
			switch label.GetName() {
			case "outcome":
				outcomes[label.GetValue()] = m.GetCounter().GetValue()
			case "namespace", "configmap":
				if want := map[string]string{"namespace": g.store.Namespace(), "configmap": "settings"}[label.GetName()]; label.GetValue() != want {
					t.Errorf("%v, want %q", label, want)
				}
			default:
				t.Errorf("label %v", label)
			}
		}
	}
	if outcomes["applied"] != 3 || outcomes["failed"] != 1 || outcomes["aborted"] != 1 || outcomes["unknown"] != 0 || len(outcomes) != 4 {
		t.Errorf("transactions by outcome: %v", outcomes)
	}
}

func TestThePageIsWithoutLint(t *testing.T) {
	g := newTarget(t)
	problems, err := promlint.New(strings.NewReader(g.page())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
