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

func TestEachAlertSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	for name, rule := range readAlerts(t) {
		if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s: %v %v", name, rule.Labels, rule.Annotations)
		}
	}
}

// constantly is a gauge that stays where it is.
func constantly(value float64) func(int, float64) float64 {
	return func(int, float64) float64 { return value }
}

// growing is a counter that grows by so much with each scrape.
func growing(by float64) func(int, float64) float64 {
	return func(n int, _ float64) float64 { return by * float64(n) }
}

func TestEachAlertFiresWhenItShouldAndNotOtherwise(t *testing.T) {
	const scrapes = 41 // ten minutes
	healthy, now := observe(t, scrapes)

	// wrong is a history in which the alert must fire, nearly one in which it must not.
	cases := map[string]struct{ wrong, nearly history }{
		"MapstoreStale": {
			wrong:  healthy.altered("mapstore_healthy", constantly(0)),
			nearly: healthy.altered("mapstore_synced", constantly(0)),
		},
		"MapstoreNearlyFull": {
			wrong:  healthy.altered("mapstore_size_limit_ratio", constantly(0.91)),
			nearly: healthy.altered("mapstore_size_limit_ratio", constantly(0.9)),
		},
		"MapstoreUnknownOutcome": {
			wrong: healthy.altered(`mapstore_transactions_total{outcome="unknown"}`, func(n int, _ float64) float64 {
				return float64(n / (scrapes - 3)) // one, a moment ago
			}),
			nearly: healthy.altered(`mapstore_transactions_total{outcome="failed"}`, growing(1)),
		},
		"MapstoreWritesStuck": {
			wrong: healthy.altered("mapstore_queued_transactions", constantly(1)).
				altered("mapstore_commits_total", constantly(7)),
			nearly: healthy.altered("mapstore_queued_transactions", constantly(1)),
		},
		"MapstoreWritesFailing": {
			wrong: healthy.altered(`mapstore_transactions_total{outcome="applied"}`, constantly(7)),
			nearly: healthy.altered(`mapstore_transactions_total{outcome="applied"}`, constantly(7)).
				altered(`mapstore_transactions_total{outcome="failed"}`, constantly(7)),
		},
		"MapstoreConflictStorm": {
			wrong: healthy.altered("mapstore_conflicts_total", growing(60)).
				altered("mapstore_write_request_duration_seconds_count", growing(100)),
			nearly: healthy.altered("mapstore_conflicts_total", growing(40)).
				altered("mapstore_write_request_duration_seconds_count", growing(100)),
		},
		"MapstoreSubscriberBehind": {
			wrong:  healthy.altered("mapstore_subscription_lag_seconds", constantly(61)),
			nearly: healthy.altered("mapstore_subscription_lag_seconds", constantly(60)),
		},
		"MapstoreCallbackPanics": {
			wrong:  healthy.altered("mapstore_callback_panics_total", growing(1)),
			nearly: healthy.altered("mapstore_callback_panics_total", constantly(7)), // of yesterday
		},
		"MapstoreReset": {
			wrong:  healthy.altered("mapstore_resets_total", growing(1)),
			nearly: healthy.altered("mapstore_resets_total", constantly(7)),
		},
		"MapstoreRejectedValues": {
			wrong:  healthy.altered("mapstore_rejected_keys", constantly(1)),
			nearly: healthy.altered("mapstore_rejections_total", growing(1)),
		},
	}
	for name, rule := range readAlerts(t) {
		c, ok := cases[name]
		if !ok {
			t.Errorf("there is no test of %s", name)
			continue
		}
		delete(cases, name)
		for what, h := range map[string]history{"while all is well": healthy, "when it nearly goes wrong": c.nearly} {
			if got := h.query(t, rule.Expr, now); len(got) > 0 {
				t.Errorf("%s fires %s: %v", name, what, got)
			}
		}
		got := c.wrong.query(t, rule.Expr, now)
		if len(got) != 1 || got[0].Metric.Get("namespace") == "" || got[0].Metric.Get("configmap") != "settings" {
			t.Errorf("%s: %v, want it to fire and to name the map", name, got)
		}
		if time.Duration(rule.For) > scrapes*interval {
			t.Errorf("%s fires after %v", name, rule.For)
		}
	}
	for name := range cases {
		t.Errorf("there is no alert %s", name)
	}
}
