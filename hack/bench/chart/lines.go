package chart

import (
	"fmt"
	"slices"
)

// Lines is a chart of series.
type Lines struct {
	Title  string
	X, Y   string // what the axes show, with the unit
	Series []Series
}

// A Series is one line.
type Series struct {
	Name   string
	Points []Point
	Marks  []Point // of a model, which has many points: what it was fitted to
}

// A Point is one of a line.
type Point struct{ X, Y float64 }

func (l Lines) values() []float64 {
	xs, ys := l.places()
	return append(xs, ys...)
}

// places are the values of all points and marks, on each axis.
func (l Lines) places() (xs, ys []float64) {
	for _, series := range l.Series {
		for _, point := range slices.Concat(series.Points, series.Marks) {
			xs, ys = append(xs, point.X), append(ys, point.Y)
		}
	}
	return xs, ys
}

func (l Lines) draw(c *canvas) {
	const left, top, right, bottom = 78.0, 70.0, width - 30, 400.0
	c.height = bottom + 58
	c.title(l.Title)
	c.text((left+right)/2, bottom+48, "middle", l.X)
	fmt.Fprintf(&c.shapes, "<text transform=\"translate(20 %v) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", (top+bottom)/2, l.Y)
	xs, ys := l.places()
	x, y := axis{slices.Min(xs), slices.Max(xs), left, right}, axis{from: bottom, to: top}
	x.high = max(x.high, 2*x.low) // an axis of one value would have no length
	y.low, y.high = decades(slices.Min(ys), slices.Max(ys))
	for _, v := range y.ticks() {
		c.line(left, y.at(v), right, y.at(v), light)
		c.text(left-8, y.at(v)+5, "end", number(v))
	}
	ticks := x.ticks()
	if !slices.ContainsFunc(l.Series, func(s Series) bool { return s.Marks != nil }) { // the places of few points are of interest
		slices.Sort(xs)
		ticks = slices.Compact(xs)
	}
	for _, v := range ticks {
		c.line(x.at(v), bottom, x.at(v), bottom+6, "#000")
		c.text(x.at(v), bottom+22, "middle", number(v))
	}
	c.line(left, bottom, right, bottom, "#000")
	legend := left
	for i, series := range l.Series {
		stroke := fmt.Sprintf("stroke=\"%s\" stroke-width=\"2.5\"", palette[i%len(palette)])
		if i%2 == 1 {
			stroke += " stroke-dasharray=\"9 4\""
		}
		fmt.Fprintf(&c.shapes, "<polyline fill=\"none\" %s points=\"", stroke)
		for _, point := range series.Points {
			fmt.Fprintf(&c.shapes, "%.1f,%.1f ", x.at(point.X), y.at(point.Y))
		}
		c.shapes.WriteString("\"/>\n")
		marks := series.Marks
		if marks == nil {
			marks = series.Points
		}
		for _, point := range marks {
			fmt.Fprintf(&c.shapes, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x.at(point.X), y.at(point.Y), palette[i%len(palette)])
		}
		fmt.Fprintf(&c.shapes, "<line x1=\"%.1f\" y1=\"48\" x2=\"%.1f\" y2=\"48\" %s/>\n", legend, legend+32, stroke)
		c.text(legend+38, 53, "start", series.Name)
		legend += 58 + 7.5*float64(len(series.Name)) // about as wide as it is
	}
}
