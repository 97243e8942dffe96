package chart

import (
	"errors"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Fits is a chart of measurements and of the models that were fitted to them, on
// logarithmic axes.
type Fits struct {
	Title  string
	X, Y   string // what the axes show, with the unit
	Series []Fit
}

// A Fit is one model and its measurements.
type Fit struct {
	Name     string
	Measured []Point
	Model    []Banded
}

// A Banded is a point of a model and how far below and above it measurements are
// expected.
type Banded struct{ X, Y, Low, High float64 }

func (f Fits) plot() (*plot.Plot, vg.Length, error) {
	p := newPlot(f.Title, f.X, f.Y)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	p.Add(grid)
	lowest := math.Inf(1)
	for _, series := range f.Series {
		for _, b := range series.Model {
			lowest = min(lowest, b.Y)
		}
		for _, m := range series.Measured {
			lowest = min(lowest, m.Y)
		}
	}
	if lowest <= 0 || math.IsInf(lowest, 1) {
		return nil, 0, errors.New("chart: no point, or one that is not above 0, on a logarithmic axis")
	}
	floor := math.Pow(10, math.Floor(math.Log10(lowest)))
	for i, series := range f.Series {
		c := palette[i%len(palette)]
		var line, edge plotter.XYs
		for _, b := range series.Model {
			line = append(line, plotter.XY{X: b.X, Y: b.Y})
			edge = append(edge, plotter.XY{X: b.X, Y: b.High})
		}
		for j := range series.Model {
			b := series.Model[len(series.Model)-1-j]
			edge = append(edge, plotter.XY{X: b.X, Y: max(b.Low, floor)})
		}
		band, err := plotter.NewPolygon(edge)
		if err != nil {
			return nil, 0, err
		}
		r, g, b, _ := c.RGBA()
		band.Color = color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50} //nolint:gosec // 16 bits to 8
		band.Width = 0
		model, err := plotter.NewLine(line)
		if err != nil {
			return nil, 0, err
		}
		model.Color, model.Width = c, vg.Points(1.5)
		var points plotter.XYs
		for _, m := range series.Measured {
			points = append(points, plotter.XY(m))
		}
		marks, err := plotter.NewScatter(points)
		if err != nil {
			return nil, 0, err
		}
		marks.Color, marks.Shape, marks.Radius = c, draw.CircleGlyph{}, vg.Points(3.5)
		p.Add(band, model, marks)
		p.Legend.Add(series.Name, band, model, marks)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = vg.Points(10)
	p.X.Max = max(p.X.Max, 2*p.X.Min) // plot would widen an axis of one value to below 0
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{p.X.Max / p.X.Min}
	p.Y.Min, p.Y.Max = floor, max(math.Pow(10, math.Ceil(math.Log10(p.Y.Max))), 10*floor)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{p.Y.Max / p.Y.Min}
	return p, 4.2 * vg.Inch, nil
}
