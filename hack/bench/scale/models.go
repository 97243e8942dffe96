package scale

import (
	"fmt"

	"github.com/unrolled/mapstore/v2/hack/bench/model"
)

// A line is a figure over the number of watchers: a + b·watchers.
type line struct {
	name    string
	samples []model.Sample
	model   *model.Model
	trial   model.Trial // the most watchers, predicted from the others
}

// newLine fits samples whose second term is the number of watchers.
func newLine(name string, samples []model.Sample) (line, error) {
	l := line{name: name, samples: samples}
	most := 0.0
	for _, s := range samples {
		most = max(most, s.Terms[1])
	}
	trials, err := model.Try(samples, func(s model.Sample) bool { return s.Terms[1] == most })
	if err == nil {
		l.trial = trials[0]
		l.model, err = model.Fit(samples)
	}
	if err != nil {
		return l, fmt.Errorf("scale: %s: %w", name, err)
	}
	return l, nil
}

// models are all that is fitted.
type models struct {
	cpu     []line       // a change, by size, connections of their own
	memory  []line       // of their own, and shared
	formula *model.Model // of CPU, by watchers and bytes: see terms
	trials  []model.Trial
	checks  []model.Trial // sizes that the formula was made without
}

// terms are those of the formula for any size.
func terms(bytes, watchers float64) []float64 {
	return []float64{1, bytes, watchers, bytes * watchers}
}

func (r *Result) models() (*models, error) {
	m := &models{}
	var all, checks []model.Sample
	most := 0.0
	for _, a := range r.Alone {
		if !a.Check {
			all = append(all, model.Sample{Terms: terms(float64(a.Bytes()), 0), Y: a.CPU})
		}
		samples := []model.Sample{{Terms: []float64{1, 0}, Y: a.CPU}}
		for _, row := range r.rows(a.Bytes(), false, false) {
			samples = append(samples, model.Sample{Terms: []float64{1, float64(row.Watchers)}, Y: row.CPU})
			sample := model.Sample{Terms: terms(float64(a.Bytes()), float64(row.Watchers)), Y: row.CPU}
			if a.Check {
				checks = append(checks, sample)
				continue
			}
			all = append(all, sample)
			most = max(most, float64(row.Watchers))
		}
		if a.Check {
			continue
		}
		l, err := newLine(size(a.Series), samples)
		if err != nil {
			return nil, err
		}
		m.cpu = append(m.cpu, l)
	}
	for _, shared := range []bool{false, true} {
		name := "a connection each"
		if shared {
			name = "100 on a connection"
		}
		var samples []model.Sample
		for _, row := range r.rows(r.Alone[0].Bytes(), shared, false) {
			samples = append(samples, model.Sample{Terms: []float64{1, float64(row.Watchers)}, Y: row.Live})
		}
		l, err := newLine(name, samples)
		if err != nil {
			return nil, err
		}
		m.memory = append(m.memory, l)
	}
	var err error
	if m.trials, err = model.Try(all, func(s model.Sample) bool { return s.Terms[2] == most }); err != nil {
		return nil, err
	}
	if m.formula, err = model.Fit(all); err != nil {
		return nil, err
	}
	for _, s := range checks {
		y, band := m.formula.At(s.Terms...)
		m.checks = append(m.checks, model.Trial{Sample: s, Predicted: y, Band: band})
	}
	return m, nil
}

// rows returns the rows of one kind.
func (r *Result) rows(bytes int, shared, json bool) (rows []Row) {
	for _, row := range r.Rows {
		if row.Bytes() == bytes && row.Shared == shared && row.JSON == json {
			rows = append(rows, row)
		}
	}
	return rows
}

// alone returns what was measured without watchers of maps of one size.
func (r *Result) alone(check bool) (all []Alone) {
	for _, a := range r.Alone {
		if a.Check == check {
			all = append(all, a)
		}
	}
	return all
}
