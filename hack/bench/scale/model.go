package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
)

// A sample is one measurement: the terms' values and what came out.
type sample struct {
	terms []float64
	y     float64
}

// A model is y = c0·t0 + c1·t1 + …
type model []float64

func (m model) at(terms []float64) float64 { return floats.Dot(m, terms) }

// off is the largest error of the model, as a share of what was measured.
func (m model) off(samples []sample) float64 {
	worst := 0.0
	for _, s := range samples {
		worst = max(worst, math.Abs(m.at(s.terms)/s.y-1))
	}
	return worst
}

// fit returns the model for which the sum of the squares of the relative errors is least:
// figures that span decades are off by a share of themselves, and a plain fit would look
// at the largest alone.
func fit(samples []sample) (model, error) {
	if len(samples) == 0 || len(samples) <= len(samples[0].terms) {
		return nil, fmt.Errorf("scale: %d samples are too few", len(samples))
	}
	rows, columns := len(samples), len(samples[0].terms)
	x, ones := mat.NewDense(rows, columns, nil), mat.NewVecDense(rows, nil)
	for i, s := range samples {
		for j, term := range s.terms {
			x.Set(i, j, term/s.y)
		}
		ones.SetVec(i, 1)
	}
	// Terms differ by nine orders of magnitude; of one size, no digits are lost.
	size := make([]float64, columns)
	for j := range size {
		size[j] = floats.Norm(mat.Col(nil, j, x), 2)
	}
	x.Apply(func(_, j int, v float64) float64 { return v / size[j] }, x)
	var solution mat.VecDense
	if err := solution.SolveVec(x, ones); err != nil {
		return nil, fmt.Errorf("scale: the terms cannot be told apart: %w", err)
	}
	m := make(model, columns)
	for j := range m {
		m[j] = solution.AtVec(j) / size[j]
	}
	return m, nil
}

// terms are those of the API server's CPU, for a map of any size.
func terms(bytes, watchers int) []float64 {
	b, w := float64(bytes), float64(watchers)
	return []float64{1, b, w, b * w}
}

// model returns that of the API server's CPU for a change, and how far it is off where it
// is held against what it was made without: the most watchers, and a size in between.
func (r *Result) model() (m model, off float64, err error) {
	var fewer, most, checks []sample
	for _, of := range r.Maps {
		for i, row := range of.Rows {
			s := sample{terms(of.Bytes(), row.Watchers), row.CPU}
			switch {
			case of.Check:
				checks = append(checks, s)
			case i == len(of.Rows)-1:
				most = append(most, s)
			default:
				fewer = append(fewer, s)
			}
		}
	}
	without, err := fit(fewer)
	if err != nil {
		return nil, 0, err
	}
	m, err = fit(append(fewer, most...))
	return m, max(without.off(most), m.off(checks)), err
}

// picture draws the model of the CPU, and what it was fitted to.
func (r *Result) picture(m model) chart.Picture {
	lines := chart.Lines{
		Title: "API server's CPU for one change, and the model",
		X:     "watchers, each with a connection of its own", Y: "CPU a change, s",
	}
	for _, of := range r.Maps {
		if of.Check {
			continue
		}
		series := chart.Series{Name: size(of) + " of values"}
		for _, row := range of.Rows {
			if row.Watchers > 0 { // a logarithmic axis has no 0
				series.Marks = append(series.Marks, chart.Point{X: float64(row.Watchers), Y: row.CPU})
			}
		}
		for exponent := 0.0; exponent <= 5; exponent += 0.25 {
			watchers := int(math.Pow(10, exponent))
			if y := m.at(terms(of.Bytes(), watchers)); y > 0 { // noise can put it below 0
				series.Points = append(series.Points, chart.Point{X: float64(watchers), Y: y})
			}
		}
		lines.Series = append(lines.Series, series)
	}
	return lines
}
