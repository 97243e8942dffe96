// Package chart draws the few kinds of charts that the report has. They are
// SVG, on white, so that they read on a dark page too.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Picture can be drawn.
type Picture interface {
	plot() (p *plot.Plot, height vg.Length, err error)
}

const (
	width  = 7.5 * vg.Inch
	margin = 8 * vg.Inch / 72
)

// The colours of Okabe and Ito, which those who do not see all colours can
// tell apart too.
var palette = []color.RGBA{
	{0, 114, 178, 255},
	{213, 94, 0, 255},
	{0, 158, 115, 255},
	{204, 121, 167, 255},
}

// WriteSVG draws a picture into a file.
func WriteSVG(path string, picture Picture) error {
	p, height, err := picture.plot()
	if err != nil {
		return err
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Path())
	p.Draw(draw.Crop(whole, margin, -margin, margin, -margin))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(svg.Bytes(), []byte(ownFamily), []byte(families)), 0o644)
}

// Few readers have the font that the chart is laid out for. These are as wide.
const (
	ownFamily = "font-family:Liberation Sans;"
	families  = "font-family:Liberation Sans,Arial,Helvetica,sans-serif;"
)

// newPlot returns an empty plot in the style of all.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(8)
	p.X.Label.Padding, p.Y.Label.Padding = vg.Points(4), vg.Points(4)
	p.Legend.Padding = vg.Points(3)
	p.Legend.ThumbnailWidth = vg.Points(24)
	for text, size := range map[*font.Font]vg.Length{
		&p.Title.TextStyle.Font:   14,
		&p.X.Label.TextStyle.Font: 12,
		&p.Y.Label.TextStyle.Font: 12,
		&p.X.Tick.Label.Font:      11,
		&p.Y.Tick.Label.Font:      11,
		&p.Legend.TextStyle.Font:  12,
	} {
		*text = sans(size)
	}
	return p
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// number writes a tick's value without more digits than it has.
func number(x float64) string {
	switch {
	case x >= 1_000_000:
		return fmt.Sprintf("%gM", x/1_000_000)
	case x >= 10_000:
		return fmt.Sprintf("%gk", x/1000)
	default:
		return fmt.Sprintf("%g", x)
	}
}

// decades are the ticks of a logarithmic axis, which spans the given ratio. An
// axis of few decades has labels at 2 and 5 too.
type decades struct{ span float64 }

// Ticks returns the ticks.
func (d decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	if !(low > 0) || math.IsInf(high, 0) {
		return nil // such an axis has no decade to begin with, or none to end with
	}
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Ceil(math.Log10(high)); exponent++ {
		for digit := 1.0; digit < 10; digit++ {
			value := digit * math.Pow(10, exponent)
			if value < low*0.999 || value > high*1.001 {
				continue
			}
			tick := plot.Tick{Value: value}
			if digit == 1 || d.span < 1000 && (digit == 2 || digit == 5) {
				tick.Label = number(value)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
