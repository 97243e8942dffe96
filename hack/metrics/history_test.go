package metrics

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// interval is the time between two scrapes.
const interval = 15 * time.Second

// A history is what Prometheus has stored, by the labels of each series.
type history map[string]promql.Series

// observe scrapes a store that works, as if interval went by from one scrape to
// the next, and returns the history and when it ends.
func observe(t *testing.T, scrapes int) (history, time.Time) {
	t.Helper()
	g := newTarget(t)
	h, at := history{}, time.Now()
	for range scrapes {
		g.work()
		at = at.Add(interval)
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, g.scrape()...)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range samples {
			key, value := sample.Metric.String(), float64(sample.Value)
			if sample.Metric[model.MetricNameLabel] == "mapstore_last_contact_timestamp_seconds" {
				value = float64(at.UnixMilli())/1e3 - 1 // a time that went by like the others
			}
			series, ok := h[key]
			if !ok {
				builder := labels.NewBuilder(labels.FromStrings("instance", "pod-1", "job", "test"))
				for name, text := range sample.Metric {
					builder.Set(string(name), string(text))
				}
				series.Metric = builder.Labels()
			}
			series.Floats = append(series.Floats, promql.FPoint{T: at.UnixMilli(), F: value})
			h[key] = series
		}
	}
	return h, at
}

// changes are other values for the series of a selector: the n-th is what the function
// returns.
type changes map[string]func(n int) float64

func (h history) with(t *testing.T, all changes) history {
	t.Helper()
	h = maps.Clone(h)
	for selector, value := range all {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for key, series := range h {
			if !matches(series.Metric, matchers) {
				continue
			}
			found = true
			next := promql.Series{Metric: series.Metric}
			for n, point := range series.Floats {
				next.Floats = append(next.Floats, promql.FPoint{T: point.T, F: value(n)})
			}
			h[key] = next
		}
		if !found {
			t.Fatalf("no series %s", selector)
		}
	}
	return h
}

// query returns what the engine of Prometheus answers.
func (h history) query(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	defer func() { _ = engine.Close() }()
	query, err := engine.NewInstantQuery(t.Context(), &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: h.find}}, nil, expr, at)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return nil
	}
	defer query.Close()
	result := query.Exec(t.Context())
	vector, err := result.Vector()
	if err != nil || len(result.Warnings) > 0 {
		t.Errorf("%s: %v %v", expr, err, result.Warnings)
	}
	return vector
}

// find answers a selector. The engine takes of each series what lies in the time that it
// asks for.
func (h history) find(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &seriesSet{at: -1}
	for _, series := range h {
		if matches(series.Metric, matchers) {
			found.all = append(found.all, series)
		}
	}
	return found
}

func matches(of labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}
	return true
}

// A seriesSet is the answer to one selector.
type seriesSet struct {
	all []promql.Series
	at  int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return promql.NewStorageSeries(s.all[s.at]) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
