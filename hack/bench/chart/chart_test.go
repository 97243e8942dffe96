package chart

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plot widens an axis of one value, to below 0 if it is small. Ticks from there on would
// be more than any memory holds.
func TestAnAxisThatIsNotAboveZeroHasNoTicks(t *testing.T) {
	for _, axis := range [][2]float64{{0, 2}, {-1, 1}, {1, math.Inf(1)}, {math.NaN(), 1}} {
		if ticks := (decades{10}).Ticks(axis[0], axis[1]); len(ticks) > 0 {
			t.Errorf("an axis from %v to %v has %d ticks", axis[0], axis[1], len(ticks))
		}
	}
}

// A chart is drawn or is an error, whatever the values are: a run of minutes
// must not end in a panic over one of them.
func TestOddValuesAreDrawnOrAnError(t *testing.T) {
	line := func(points ...Point) Lines {
		return Lines{Title: "T", Series: []Series{{Name: "a", Points: points}}}
	}
	model := func(series Series) Lines { return Lines{Series: []Series{series}} }
	for name, test := range map[string]struct {
		picture Picture
		ok      bool
	}{
		"one point":        {line(Point{1, 1}), true},
		"a level line":     {line(Point{1, 0.001}, Point{1000, 0.001}), true},
		"six decades":      {line(Point{1, 0.001}, Point{10_000, 1000}), true},
		"nothing on a log": {line(Point{1, 0}), false},
		"below 0 on a log": {line(Point{-1, 1}), false},
		"no point":         {line(), false},
		"bars":             {Bars{Bars: []Bar{{"a", 8.5, "8.5 ns", true}, {"b", 2_000_000, "2 ms", false}}}, true},
		"equal bars":       {Bars{Bars: []Bar{{"a", 1, "1", true}, {"b", 1, "1", false}}}, true},
		"an empty bar":     {Bars{Bars: []Bar{{"a", 0, "0", true}}}, false},
		"a model":          {model(Series{"a", []Point{{1, 1}, {100_000, 10}}, []Point{{1, 1}}}), true},
		"a mark at 0":      {model(Series{"a", []Point{{1, 1}}, []Point{{1, 0}}}), false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.svg")
			err := WriteSVG(path, test.picture)
			if ok := err == nil; ok != test.ok {
				t.Fatalf("error: %v", err)
			}
			svg, _ := os.ReadFile(path)
			if test.ok && (!strings.HasSuffix(strings.TrimSpace(string(svg)), "</svg>") || !strings.Contains(string(svg), "fill:#FFFFFF")) {
				t.Error("the file is not a whole SVG on white")
			}
		})
	}
}
