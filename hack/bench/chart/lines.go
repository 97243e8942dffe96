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

// Lines is a chart of series over a common axis.
type Lines struct {
	Title      string
	X, Y       string // what the axes show, with the unit
	LogX, LogY bool
	Smooth     bool // no mark at each point: there are many
	LegendTop  bool
	LegendLeft bool
	MaxY       float64 // 0: as the points say
	Series     []Series
}

// A Series is one line.
type Series struct {
	Name   string
	Points []Point
}

// A Point is one of a line. On a logarithmic axis it must be above 0.
type Point struct{ X, Y float64 }

func (l Lines) plot() (*plot.Plot, vg.Length, error) {
	p := newPlot(l.Title, l.X, l.Y)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	p.Add(grid)
	for i, series := range l.Series {
		points := make(plotter.XYs, len(series.Points))
		for j, point := range series.Points {
			if l.LogX && point.X <= 0 || l.LogY && point.Y <= 0 {
				return nil, 0, errors.New("chart: a point on a logarithmic axis is not above 0")
			}
			points[j] = plotter.XY{X: point.X, Y: point.Y}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, 0, err
		}
		line.Color, marks.Color = palette[i%len(palette)], palette[i%len(palette)]
		line.Width = vg.Points(2)
		if i%2 == 1 {
			line.Dashes = []vg.Length{vg.Points(7), vg.Points(3)}
		}
		marks.Shape, marks.Radius = draw.CircleGlyph{}, vg.Points(3)
		p.Add(line)
		thumbnails := []plot.Thumbnailer{line}
		if !l.Smooth {
			p.Add(marks)
			thumbnails = append(thumbnails, marks)
		}
		if len(l.Series) > 1 {
			p.Legend.Add(series.Name, thumbnails...)
		}
	}
	p.Legend.Top, p.Legend.Left = l.LegendTop, l.LegendLeft
	p.Legend.XOffs = -vg.Points(10)
	if l.LegendLeft {
		p.Legend.XOffs = vg.Points(10)
	}
	p.Y.Tick.Marker = fewTicks{}
	p.X.Tick.Marker = fewTicks{}
	if l.LogX {
		p.X.Max = max(p.X.Max, 2*p.X.Min) // plot would widen an axis of one value to below 0
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{p.X.Max / p.X.Min}
		if !l.Smooth { // few points, and their places are of interest
			p.X.Tick.Marker = l.places()
		}
	}
	if l.LogY {
		p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
		p.Y.Max = max(math.Pow(10, math.Ceil(math.Log10(p.Y.Max))), 10*p.Y.Min)
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{p.Y.Max / p.Y.Min}
	} else {
		p.Y.Min = 0
		p.Y.Max *= 1.05
	}
	if l.MaxY > 0 {
		p.Y.Max = l.MaxY
	}
	return p, 4.2 * vg.Inch, nil
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
