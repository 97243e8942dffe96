// Package chart draws the two kinds of charts that the report has, bars and lines,
// on logarithmic axes. They are SVG, on white, so that they read on a dark page too.
package chart

import (
	"errors"
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// A Picture can be drawn.
type Picture interface {
	// values are all that are drawn, on either axis. They must be above 0.
	values() []float64
	draw(*canvas)
}

// WriteSVG draws a picture into a file.
func WriteSVG(path string, picture Picture) error {
	values := picture.values()
	if len(values) == 0 {
		return errors.New("chart: there is nothing to draw")
	}
	for _, v := range values {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("chart: %v has no place on a logarithmic axis", v)
		}
	}
	c := &canvas{}
	picture.draw(c)
	svg := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %v %v\" "+
		"font-family=\"Liberation Sans,Arial,Helvetica,sans-serif\" font-size=\"15\">\n"+
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s</svg>\n", width, c.height, &c.shapes)
	return os.WriteFile(path, []byte(svg), 0o644)
}

const width = 720.0

// The colours of Okabe and Ito, which those who do not see all colours can
// tell apart too.
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

const (
	light = "#ccc" // the grid
	other = "#a0a5ac"
)

// A canvas is what has been drawn so far. From its top left corner, x goes to the
// right and y down.
type canvas struct {
	height float64
	shapes strings.Builder
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(&c.shapes, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour)
}

// text writes text that begins, ends or has its middle at x, by anchor.
func (c *canvas) text(x, y float64, anchor, text string) {
	fmt.Fprintf(&c.shapes, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html.EscapeString(text))
}

func (c *canvas) title(text string) {
	fmt.Fprintf(&c.shapes, "<text x=\"%v\" y=\"26\" text-anchor=\"middle\" font-size=\"18\">%s</text>\n", width/2, html.EscapeString(text))
}

// An axis goes from one value to another, between two places of the canvas.
type axis struct{ low, high, from, to float64 }

// at returns the place of a value.
func (a axis) at(v float64) float64 {
	return a.from + (a.to-a.from)*math.Log(v/a.low)/math.Log(a.high/a.low)
}

// ticks are the values to show: those of each decade, and where these are few at 2
// and 5 too.
func (a axis) ticks() []float64 {
	var ticks []float64
	for exponent := math.Floor(math.Log10(a.low)); math.Pow(10, exponent) <= a.high*1.001; exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			v := digit * math.Pow(10, exponent)
			if v >= a.low*0.999 && v <= a.high*1.001 && (digit == 1 || a.high/a.low < 1000) {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// decades returns the least whole decades that hold values: one at least.
func decades(low, high float64) (from, to float64) {
	from = math.Pow(10, math.Floor(math.Log10(low)))
	return from, max(math.Pow(10, math.Ceil(math.Log10(high))), 10*from)
}

// number writes a tick's value without more digits than it has.
func number(x float64) string {
	switch {
	case x >= 1_000_000:
		return fmt.Sprintf("%.3gM", x/1_000_000)
	case x >= 10_000:
		return fmt.Sprintf("%.3gk", x/1000)
	default:
		return fmt.Sprintf("%.4g", x)
	}
}
