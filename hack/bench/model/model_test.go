package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

var watchers = []float64{1, 10, 30, 100, 300, 1000}

// samples are a curve over the watchers, each value off by up to a share of itself.
func samples(curve func(w float64) float64, off float64) []Sample {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]Sample, len(watchers))
	for i, w := range watchers {
		all[i] = Sample{[]float64{1, w}, curve(w) * (1 + off*(2*random.Float64()-1))}
	}
	return all
}

func largest(s Sample) bool { return s.Terms[1] == 1000 }

func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAKnownLineIsFound(t *testing.T) {
	m, err := Fit(samples(func(w float64) float64 { return 0.002 + 0.00003*w }, 0))
	if err != nil {
		t.Fatal(err)
	}
	for term, want := range []float64{0.002, 0.00003} {
		got, e := m.Coefficient(term)
		near(t, "the coefficient", got, want, 1e-9)
		if e > 1e-9*want {
			t.Errorf("the standard error of an exact line is %v", e)
		}
	}
	y, band := m.At(1, 100_000)
	near(t, "100,000 watchers", y, 3.002, 1e-9)
	if band > 1e-6 {
		t.Errorf("the band around an exact line is %v", band)
	}
}

// The same as the textbook's: y = 1 + x at 1, 2 and 3 with the middle one 10 % too
// high, each weighted by 1/y².
func TestTheErrorsAreThoseOfTheTextbook(t *testing.T) {
	m, err := Fit([]Sample{{[]float64{1, 1}, 2}, {[]float64{1, 2}, 3.3}, {[]float64{1, 3}, 4}})
	if err != nil {
		t.Fatal(err)
	}
	// Normal equations with w = 1/y², by hand.
	y, x := []float64{2, 3.3, 4}, []float64{1, 2, 3}
	var s, sx, sy, sxx, sxy float64
	for i := range y {
		w := 1 / (y[i] * y[i])
		s, sx, sy, sxx, sxy = s+w, sx+w*x[i], sy+w*y[i], sxx+w*x[i]*x[i], sxy+w*x[i]*y[i]
	}
	d := s*sxx - sx*sx
	a, b := (sxx*sy-sx*sxy)/d, (s*sxy-sx*sy)/d
	variance := 0.0 // one degree of freedom
	for i := range y {
		off := (y[i] - a - b*x[i]) / y[i]
		variance += off * off
	}
	gotA, errorA := m.Coefficient(0)
	gotB, errorB := m.Coefficient(1)
	near(t, "a", gotA, a, 1e-9)
	near(t, "b", gotB, b, 1e-9)
	near(t, "the error of a", errorA, math.Sqrt(variance*sxx/d), 1e-9)
	near(t, "the error of b", errorB, math.Sqrt(variance*s/d), 1e-9)
	const student = 12.7062 // 97.5 %, one degree of freedom
	at10, band := m.At(1, 10)
	near(t, "y at 10", at10, a+10*b, 1e-9)
	near(t, "the band at 10", band, student*math.Sqrt(variance*((sxx-20*sx+100*s)/d+at10*at10)), 1e-4)
}

func TestANoisyLineIsFoundWithinItsErrors(t *testing.T) {
	line := samples(func(w float64) float64 { return 0.002 + 0.00003*w }, 0.05)
	m, err := Fit(line)
	if err != nil {
		t.Fatal(err)
	}
	slope, e := m.Coefficient(1)
	if math.Abs(slope-0.00003) > 3*e || e < 1e-8 {
		t.Errorf("the slope is %v ± %v", slope, e)
	}
	trials, err := Try(line, largest)
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != 1 || !trials[0].Inside() || math.Abs(trials[0].Error()) > 0.2 {
		t.Errorf("trials: %+v", trials)
	}
}

func TestACurveThatIsNoLineShowsALargeError(t *testing.T) {
	for name, test := range map[string]struct {
		curve func(float64) float64
		least float64
		sign  float64
	}{
		"a square":      {func(w float64) float64 { return 1 + w*w }, 0.5, -1},
		"a square root": {func(w float64) float64 { return math.Sqrt(w) }, 0.5, 1},
		"a step":        {func(w float64) float64 { return 1 + w + 3000*math.Floor(w/1000) }, 0.5, -1},
	} {
		t.Run(name, func(t *testing.T) {
			trials, err := Try(samples(test.curve, 0), largest)
			if err != nil {
				t.Fatal(err)
			}
			if off := trials[0].Error() * test.sign; off < test.least {
				t.Errorf("the prediction is off by %v, at least %v expected", off, test.least)
			}
		})
	}
}

// Terms as far apart as bytes times watchers and a constant are, and then in units that
// are a trillion times smaller.
func TestTermsOfAnySizeAreFound(t *testing.T) {
	for _, unit := range []float64{1, 1e-12} {
		want := []float64{1e-3, 2e-8, 3e-5, 1.5e-9 * unit}
		var all []Sample
		for _, bytes := range []float64{1e3, 3.2e4, 1e6} {
			for _, w := range watchers {
				terms := []float64{1, bytes, w, w * bytes / unit}
				y := 0.0
				for i := range want {
					y += want[i] * terms[i]
				}
				all = append(all, Sample{terms, y})
			}
		}
		m, err := Fit(all)
		if err != nil {
			t.Fatal(err)
		}
		for term := range want {
			got, _ := m.Coefficient(term)
			near(t, "the coefficient", got, want[term], 1e-6)
		}
	}
}

func TestWhatCannotBeFittedIsAnError(t *testing.T) {
	for name, all := range map[string][]Sample{
		"nothing":              nil,
		"as many as terms":     {{[]float64{1, 1}, 1}, {[]float64{1, 2}, 2}},
		"one place":            {{[]float64{1, 1}, 1}, {[]float64{1, 1}, 2}, {[]float64{1, 1}, 3}},
		"a term always 0":      {{[]float64{1, 0}, 1}, {[]float64{1, 0}, 2}, {[]float64{1, 0}, 3}},
		"a figure that is 0":   {{[]float64{1, 1}, 0}, {[]float64{1, 2}, 2}, {[]float64{1, 3}, 3}},
		"a figure below 0":     {{[]float64{1, 1}, -1}, {[]float64{1, 2}, 2}, {[]float64{1, 3}, 3}},
		"terms of two lengths": {{[]float64{1, 1}, 1}, {[]float64{1}, 2}, {[]float64{1, 3}, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := Fit(all); err == nil {
				t.Errorf("fitted: %+v", m)
			}
		})
	}
}
