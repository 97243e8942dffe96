// Package model fits what was measured by a sum of terms, says how far the sum is
// off, and carries it further than was measured.
package model

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Sample is one measurement: the terms' values and what came out, which is above 0.
type Sample struct {
	Terms []float64
	Y     float64
}

// A Model is y = c0·t0 + c1·t1 + … with the coefficients of least squares.
//
// What is least is the sum of the squares of the relative errors: figures that span
// decades are off by a share of themselves, and a plain fit would look at the largest
// alone.
type Model struct {
	coefficients []float64
	covariance   *mat.Dense // of the coefficients
	variance     float64    // of a relative error
	freedom      float64    // degrees
}

// Fit fits the samples. It needs more of them than they have terms, as otherwise
// nothing says how far the model is off.
func Fit(samples []Sample) (*Model, error) {
	if len(samples) == 0 || len(samples) <= len(samples[0].Terms) {
		return nil, fmt.Errorf("model: %d samples are too few", len(samples))
	}
	rows, columns := len(samples), len(samples[0].Terms)
	x, ones := mat.NewDense(rows, columns, nil), mat.NewVecDense(rows, nil)
	for i, sample := range samples {
		if sample.Y <= 0 || len(sample.Terms) != columns {
			return nil, errors.New("model: a sample is not above 0, or has other terms than the first")
		}
		for j, term := range sample.Terms {
			x.Set(i, j, term/sample.Y)
		}
		ones.SetVec(i, 1)
	}
	// Terms differ by nine orders of magnitude; of one size, no digits are lost.
	size := make([]float64, columns)
	for j := range size {
		if size[j] = floats.Norm(mat.Col(nil, j, x), 2); size[j] == 0 {
			return nil, fmt.Errorf("model: term %d is always 0", j)
		}
	}
	x.Apply(func(_, j int, v float64) float64 { return v / size[j] }, x)

	var solution mat.VecDense
	if err := solution.SolveVec(x, ones); err != nil {
		return nil, fmt.Errorf("model: the terms cannot be told apart: %w", err)
	}
	var square, inverse mat.Dense
	square.Mul(x.T(), x)
	if err := inverse.Inverse(&square); err != nil {
		return nil, fmt.Errorf("model: the terms cannot be told apart: %w", err)
	}
	var predicted mat.VecDense
	predicted.MulVec(x, &solution)
	m := &Model{freedom: float64(rows - columns), coefficients: make([]float64, columns)}
	for i := range rows {
		m.variance += math.Pow(1-predicted.AtVec(i), 2) / m.freedom
	}
	inverse.Apply(func(i, j int, v float64) float64 { return v * m.variance / (size[i] * size[j]) }, &inverse)
	m.covariance = &inverse
	for j := range size {
		m.coefficients[j] = solution.AtVec(j) / size[j]
	}
	return m, nil
}

// Coefficient returns the coefficient of a term and its standard error.
func (m *Model) Coefficient(term int) (value, standardError float64) {
	return m.coefficients[term], math.Sqrt(m.covariance.At(term, term))
}

// At returns what the model says, and how far a measurement would be off in 19 of 20
// cases if the model were right: the 95 % prediction interval is y ± band.
func (m *Model) At(terms ...float64) (y, band float64) {
	y = floats.Dot(m.coefficients, terms)
	v := mat.NewVecDense(len(terms), terms)
	spread := mat.Inner(v, m.covariance, v) + m.variance*y*y
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: m.freedom}
	return y, student.Quantile(0.975) * math.Sqrt(spread)
}

// A Trial is a model that was made without some of the samples, held against one of
// them.
type Trial struct {
	Sample
	Predicted, Band float64
}

// Error returns by how much the prediction is off, as a share of what was measured.
func (t Trial) Error() float64 { return t.Predicted/t.Y - 1 }

// Inside reports whether what was measured is in the band, but for rounding.
func (t Trial) Inside() bool { return math.Abs(t.Predicted-t.Y) <= t.Band+1e-9*t.Y }

// Try fits the samples that are not held out, and predicts the others.
func Try(samples []Sample, heldOut func(Sample) bool) ([]Trial, error) {
	var known, unknown []Sample
	for _, sample := range samples {
		if heldOut(sample) {
			unknown = append(unknown, sample)
		} else {
			known = append(known, sample)
		}
	}
	m, err := Fit(known)
	if err != nil {
		return nil, err
	}
	trials := make([]Trial, len(unknown))
	for i, sample := range unknown {
		trials[i].Sample = sample
		trials[i].Predicted, trials[i].Band = m.At(sample.Terms...)
	}
	return trials, nil
}
