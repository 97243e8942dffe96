package metrics

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func isOf(label string) func(*labels.Matcher) bool {
	return func(m *labels.Matcher) bool { return m.Name == label }
}

func readAlerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	data, err := os.ReadFile("../../metrics/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Fatal(err)
	}
	rules := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if _, ok := rules[rule.Alert]; ok || rule.Alert == "" {
				t.Errorf("alert %q is there twice, or has no name", rule.Alert)
			}
			rules[rule.Alert] = rule
		}
	}
	return rules
}

// constantly is a gauge that stays where it is, and growing a counter that grows by so much
// with each scrape.
func constantly(value float64) func(int) float64 { return func(int) float64 { return value } }
func growing(by float64) func(int) float64       { return func(n int) float64 { return by * float64(n) } }

func TestEachAlertFiresWhenItShouldAndNotOtherwise(t *testing.T) {
	const (
		scrapes  = 41 // ten minutes
		applied  = `mapstore_transactions_total{outcome="applied"}`
		failed   = `mapstore_transactions_total{outcome="failed"}`
		backedUp = `mapstore_backups_total{outcome="written"}`
		noBackup = `mapstore_backups_total{outcome="failed"}`
		unknown  = `mapstore_transactions_total{outcome="unknown"}`
		queued   = "mapstore_queued_transactions"
		requests = "mapstore_write_request_duration_seconds_count"
	)
	justNow := func(n int) float64 { return float64(n / (scrapes - 3)) }
	healthy, now := observe(t, scrapes)

	// wrong makes a history in which the alert must fire, nearly one in which it must not.
	cases := map[string]struct{ wrong, nearly changes }{
		"MapstoreStale":            {changes{"mapstore_healthy": constantly(0)}, changes{"mapstore_synced": constantly(0)}},
		"MapstoreNearlyFull":       {changes{"mapstore_size_limit_ratio": constantly(0.91)}, changes{"mapstore_size_limit_ratio": constantly(0.9)}},
		"MapstoreUnknownOutcome":   {changes{unknown: justNow}, changes{failed: growing(1)}},
		"MapstoreWritesStuck":      {changes{queued: constantly(1), "mapstore_commits_total": constantly(7)}, changes{queued: constantly(1)}},
		"MapstoreWritesFailing":    {changes{applied: constantly(7)}, changes{applied: constantly(7), failed: constantly(7), unknown: constantly(7)}},
		"MapstoreConflictStorm":    {changes{"mapstore_conflicts_total": growing(60), requests: growing(100)}, changes{"mapstore_conflicts_total": growing(40), requests: growing(100)}},
		"MapstoreSubscriberBehind": {changes{"mapstore_subscription_lag_seconds": constantly(61)}, changes{"mapstore_subscription_lag_seconds": constantly(60)}},
		"MapstoreCallbackPanics":   {changes{"mapstore_callback_panics_total": growing(1)}, changes{"mapstore_callback_panics_total": constantly(7)}}, // of yesterday
		"MapstoreAbsent":           {changes{"mapstore_exists": constantly(0)}, changes{"mapstore_exists": constantly(0), "mapstore_synced": constantly(0)}},
		"MapstoreReset":            {changes{"mapstore_resets_total": growing(1)}, changes{"mapstore_resets_total": constantly(7)}},
		"MapstoreBackupFailing":    {changes{noBackup: growing(1)}, changes{noBackup: growing(1), backedUp: growing(1)}},
		"MapstoreRejectedValues":   {changes{"mapstore_rejected_keys": constantly(1)}, changes{"mapstore_rejections_total": growing(1)}},
	}
	for name, rule := range readAlerts(t) {
		c, ok := cases[name]
		if !ok {
			t.Errorf("there is no test of %s", name)
			continue
		}
		delete(cases, name)
		for what, h := range map[string]history{"while all is well": healthy, "when it nearly goes wrong": healthy.with(t, c.nearly)} {
			if got := h.query(t, rule.Expr, now); len(got) > 0 {
				t.Errorf("%s fires %s: %v", name, what, got)
			}
		}
		got := healthy.with(t, c.wrong).query(t, rule.Expr, now)
		if len(got) != 1 || got[0].Metric.Get("namespace") == "" || got[0].Metric.Get("configmap") != "settings" {
			t.Errorf("%s: %v, want it to fire and to name the map", name, got)
		}
		if time.Duration(rule.For) > scrapes*interval {
			t.Errorf("%s fires after %v", name, rule.For)
		}
		if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s does not say what is wrong and what to do: %v %v", name, rule.Labels, rule.Annotations)
		}
	}
	for name := range cases {
		t.Errorf("there is no alert %s", name)
	}
}
