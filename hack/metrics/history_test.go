package metrics

import (
	"maps"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
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
type history map[string]*promql.Series

// observe scrapes a store that works, as if interval went by from one scrape to
// the next, and returns the history and when it ends.
func observe(t *testing.T, scrapes int) (history, time.Time) {
	t.Helper()
	g := newTarget(t)
	h, at := history{}, time.Now()
	for range scrapes {
		g.work()
		at = at.Add(interval)
		families := g.scrape()
		contact := families["mapstore_last_contact_timestamp_seconds"].GetMetric()[0].GetGauge()
		*contact.Value = float64(at.UnixMilli())/1e3 - 1 // a time that went by like the others
		for name, family := range families {
			for _, m := range family.GetMetric() {
				h.record(name, family.GetType(), m, at)
			}
		}
	}
	return h, at
}

func (h history) record(name string, kind dto.MetricType, m *dto.Metric, at time.Time) {
	values := map[string]float64{}
	switch kind {
	case dto.MetricType_SUMMARY:
		values[name+"_sum"] = m.GetSummary().GetSampleSum()
		values[name+"_count"] = float64(m.GetSummary().GetSampleCount())
	case dto.MetricType_COUNTER:
		values[name] = m.GetCounter().GetValue()
	default:
		values[name] = m.GetGauge().GetValue()
	}
	for name, value := range values {
		builder := labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, name, "instance", "pod-1", "job", "test"))
		for _, label := range m.GetLabel() {
			builder.Set(label.GetName(), label.GetValue())
		}
		of := builder.Labels()
		series := h[of.String()]
		if series == nil {
			series = &promql.Series{Metric: of}
			h[of.String()] = series
		}
		series.Floats = append(series.Floats, promql.FPoint{T: at.UnixMilli(), F: value})
	}
}

// altered returns the history with other values in the series of the selector:
// the n-th is what value returns.
func (h history) altered(selector string, value func(n int, was float64) float64) history {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		panic(err)
	}
	h, found := maps.Clone(h), false
	for key, series := range h {
		if !matches(series.Metric, matchers) {
			continue
		}
		found = true
		next := &promql.Series{Metric: series.Metric}
		for n, point := range series.Floats {
			next.Floats = append(next.Floats, promql.FPoint{T: point.T, F: value(n, point.F)})
		}
		h[key] = next
	}
	if !found {
		panic("no series " + selector)
	}
	return h
}

// query returns what the engine of Prometheus answers.
func (h history) query(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	query, err := engine.NewInstantQuery(t.Context(), storage.QueryableFunc(h.querier), nil, expr, at)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return nil
	}
	defer query.Close()
	result := query.Exec(t.Context())
	if result.Err != nil || len(result.Warnings) > 0 {
		t.Errorf("%s: %v %v", expr, result.Err, result.Warnings)
		return nil
	}
	vector, err := result.Vector()
	if err != nil {
		t.Errorf("%s: %v", expr, err)
	}
	return vector
}

func (h history) querier(from, to int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &seriesSet{at: -1}
		for _, series := range h {
			if !matches(series.Metric, matchers) {
				continue
			}
			within := promql.Series{Metric: series.Metric}
			for _, point := range series.Floats {
				if from <= point.T && point.T <= to {
					within.Floats = append(within.Floats, point)
				}
			}
			found.all = append(found.all, within)
		}
		return found
	}}, nil
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
