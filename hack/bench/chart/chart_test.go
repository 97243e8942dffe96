package chart

import (
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A chart is drawn or is an error, whatever the values are: a run of minutes
// must not end in a panic, or in a picture of nothing, over one of them.
func TestOddValuesAreDrawnOrAnError(t *testing.T) {
	line := func(points ...Point) Lines { return Lines{Title: "T", Series: []Series{{Name: "a", Points: points}}} }
	for name, test := range map[string]struct {
		picture Picture
		ok      bool
	}{
		"one point":    {line(Point{1, 1}), true},
		"a level line": {line(Point{1, 0.001}, Point{1000, 0.001}), true},
		"six decades":  {line(Point{1, 0.001}, Point{10_000, 1000}), true},
		"a 0":          {line(Point{1, 0}), false},
		"below 0":      {line(Point{-1, 1}), false},
		"infinity":     {line(Point{1, math.Inf(1)}), false},
		"not a number": {line(Point{1, math.NaN()}), false},
		"no point":     {line(), false},
		"bars":         {Bars{Bars: []Bar{{"a & b", 8.5, "8.5 ns", true}, {"b", 2_000_000, "2 ms", false}}}, true},
		"equal bars":   {Bars{Bars: []Bar{{"a", 1, "1", true}, {"b", 1, "1", false}}}, true},
		"an empty bar": {Bars{Bars: []Bar{{"a", 0, "0", true}}}, false},
		"a model":      {Lines{Series: []Series{{"a", []Point{{1, 1}, {100_000, 10}}, []Point{{1, 1}}}}}, true},
		"a mark at 0":  {Lines{Series: []Series{{"a", []Point{{1, 1}}, []Point{{1, 0}}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.svg")
			err := WriteSVG(path, test.picture)
			if ok := err == nil; ok != test.ok {
				t.Fatalf("error: %v", err)
			}
			svg, _ := os.ReadFile(path)
			if test.ok && (xml.Unmarshal(svg, new(struct{})) != nil || strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf")) {
				t.Errorf("this is no SVG:\n%s", svg)
			}
		})
	}
}

func TestTicksAreRoundNumbersWithinTheAxis(t *testing.T) {
	var labels []string
	for _, v := range (axis{low: 0.3, high: 20}).ticks() {
		labels = append(labels, number(v))
	}
	if got := strings.Join(labels, " "); got != "0.5 1 2 5 10 20" {
		t.Errorf("ticks at %s", got)
	}
}
