package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A chart is drawn or is an error, whatever the values are: a run of minutes
// must not end in a panic over one of them.
func TestOddValuesAreDrawnOrAnError(t *testing.T) {
	line := func(points ...Point) Lines {
		return Lines{Title: "T", LogX: true, LogY: true, Series: []Series{{Name: "a", Points: points}}}
	}
	for name, test := range map[string]struct {
		picture Picture
		ok      bool
	}{
		"one point":        {line(Point{1, 1}), true},
		"a level line":     {line(Point{1, 0.001}, Point{1000, 0.001}), true},
		"six decades":      {line(Point{1, 0.001}, Point{10_000, 1000}), true},
		"nothing on a log": {line(Point{1, 0}), false},
		"below 0 on a log": {line(Point{-1, 1}), false},
		"a linear chart":   {Lines{Series: []Series{{Name: "a", Points: []Point{{0, 0}, {1, -1}}}}}, true},
		"bars":             {Bars{Bars: []Bar{{"a", 8.5, "8.5 ns", true}, {"b", 2_000_000, "2 ms", false}}}, true},
		"equal bars":       {Bars{Bars: []Bar{{"a", 1, "1", true}, {"b", 1, "1", false}}}, true},
		"an empty bar":     {Bars{Bars: []Bar{{"a", 0, "0", true}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.svg")
			err := WriteSVG(path, test.picture)
			if ok := err == nil; ok != test.ok {
				t.Fatalf("error: %v", err)
			}
			if svg, _ := os.ReadFile(path); test.ok && !strings.HasSuffix(strings.TrimSpace(string(svg)), "</svg>") {
				t.Error("the file is not a whole SVG")
			}
		})
	}
}
