package chart

import (
	"errors"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a chart of horizontal bars on a logarithmic axis, the first on top.
type Bars struct {
	Title string
	X     string // what the axis shows, with the unit
	Bars  []Bar
}

// A Bar is one of them.
type Bar struct {
	Name  string
	Value float64 // above 0
	Label string  // at the bar's end
	Ours  bool    // stands out
}

func (b Bars) plot() (*plot.Plot, vg.Length, error) {
	p := newPlot(b.Title, b.X, "")
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	p.Add(grid, bars(b.Bars))
	names := make([]string, len(b.Bars))
	low, high := math.Inf(1), 0.0
	for i, bar := range b.Bars {
		if bar.Value <= 0 {
			return nil, 0, errors.New("chart: a bar on a logarithmic axis is not above 0")
		}
		names[len(names)-1-i] = bar.Name
		low, high = min(low, bar.Value), max(high, bar.Value)
	}
	p.NominalY(names...)
	p.Y.Padding = vg.Points(6)
	p.Y.Width = 0
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	// From a decade's beginning, and with room for the longest bar's label.
	p.X.Min = math.Pow(10, math.Floor(math.Log10(low)))
	p.X.Max = math.Pow(10, math.Ceil(math.Log10(high*5)))
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{p.X.Max / p.X.Min}
	return p, vg.Length(len(b.Bars))*0.32*vg.Inch + 1.1*vg.Inch, nil
}

// bars is what plotter.BarChart is not: able to begin elsewhere than at 0, which
// a logarithmic axis does not have.
type bars []Bar

// Plot draws the bars.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := text.Style{
		Color:   color.Black,
		Font:    sans(11),
		YAlign:  draw.YCenter,
		Handler: plot.DefaultTextHandler,
	}
	for i, bar := range b {
		middle := float64(len(b) - 1 - i)
		left, right := x(p.X.Min), x(bar.Value)
		bottom, top := y(middle-0.33), y(middle+0.33)
		fill := color.Color(color.RGBA{160, 165, 172, 255})
		if bar.Ours {
			fill = palette[0]
		}
		c.FillPolygon(fill, []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
		c.FillText(style, vg.Point{X: right + vg.Points(4), Y: y(middle)}, bar.Label)
	}
}
