package chart

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a chart of series on two logarithmic axes.
type Lines struct {
	Title      string
	X, Y       string // what the axes show, with the unit
	LegendLeft bool
	Series     []Series
}

// A Series is one line.
type Series struct {
	Name   string
	Points []Point
	Marks  []Point // of a model, which has many points: what it was fitted to
}

// A Point is one of a line. Both must be above 0.
type Point struct{ X, Y float64 }

func (l Lines) plot() (*plot.Plot, vg.Length, error) {
	lowest, models := math.Inf(1), false
	for _, series := range l.Series {
		models = models || len(series.Marks) > 0
		for _, point := range slices.Concat(series.Points, series.Marks) {
			lowest = min(lowest, point.Y)
			if point.X <= 0 || point.Y <= 0 {
				return nil, 0, errors.New("chart: a point on a logarithmic axis is not above 0")
			}
		}
	}
	if math.IsInf(lowest, 1) {
		return nil, 0, errors.New("chart: there are no points")
	}
	p := newPlot(l.Title, l.X, l.Y)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	p.Add(grid)
	floor := math.Pow(10, math.Floor(math.Log10(lowest)))
	for i, series := range l.Series {
		line, points, err := plotter.NewLinePoints(xys(series.Points))
		if err != nil {
			return nil, 0, err
		}
		marks := series.Marks
		if !models {
			marks = series.Points
		}
		points.XYs = xys(marks)
		line.Color, points.Color = palette[i%len(palette)], palette[i%len(palette)]
		line.Width = vg.Points(2)
		if i%2 == 1 {
			line.Dashes = []vg.Length{vg.Points(7), vg.Points(3)}
		}
		points.Shape, points.Radius = draw.CircleGlyph{}, vg.Points(3)
		p.Add(line, points)
		if len(l.Series) > 1 {
			p.Legend.Add(series.Name, line)
		}
	}
	p.Legend.Top, p.Legend.Left = true, l.LegendLeft
	p.Legend.XOffs = -vg.Points(10)
	if l.LegendLeft {
		p.Legend.XOffs = vg.Points(10)
	}
	p.X.Max = max(p.X.Max, 2*p.X.Min) // plot would widen an axis of one value to below 0
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{p.X.Max / p.X.Min}
	if !models { // few points, and their places are of interest
		p.X.Tick.Marker = l.places()
	}
	p.Y.Min, p.Y.Max = floor, max(math.Pow(10, math.Ceil(math.Log10(p.Y.Max))), 10*floor)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{p.Y.Max / floor}
	return p, 4.2 * vg.Inch, nil
}

func xys(points []Point) plotter.XYs {
	all := make(plotter.XYs, len(points))
	for i, point := range points {
		all[i] = plotter.XY(point)
	}
	return all
}

// places are ticks where the points are.
func (l Lines) places() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, series := range l.Series {
		for _, point := range series.Points {
			if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Value == point.X }) {
				ticks = append(ticks, plot.Tick{Value: point.X, Label: number(point.X)})
			}
		}
	}
	return ticks
}
