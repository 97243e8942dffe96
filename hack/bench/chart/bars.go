package chart

import (
	"fmt"
	"slices"
)

// Bars is a chart of horizontal bars, the first on top.
type Bars struct {
	Title string
	X     string // what the axis shows, with the unit
	Bars  []Bar
}

// A Bar is one of them.
type Bar struct {
	Name  string
	Value float64
	Label string // at the bar's end
	Ours  bool   // stands out
}

func (b Bars) values() []float64 {
	var all []float64
	for _, bar := range b.Bars {
		all = append(all, bar.Value)
	}
	return all
}

func (b Bars) draw(c *canvas) {
	const left, top, thick = 210.0, 44.0, 32.0
	bottom := top + thick*float64(len(b.Bars))
	c.height = bottom + 58
	c.title(b.Title)
	c.text((left+width)/2, bottom+48, "middle", b.X)
	x := axis{from: left, to: width - 80} // beside it is room for the longest bar's label
	x.low, x.high = decades(slices.Min(b.values()), slices.Max(b.values()))
	for _, v := range x.ticks() {
		c.line(x.at(v), top, x.at(v), bottom, light)
		c.text(x.at(v), bottom+22, "middle", number(v))
	}
	for i, bar := range b.Bars {
		y := top + thick*float64(i)
		colour := other
		if bar.Ours {
			colour = palette[0]
		}
		c.text(left-8, y+21, "end", bar.Name)
		fmt.Fprintf(&c.shapes, "<rect x=\"%v\" y=\"%.1f\" width=\"%.1f\" height=\"%v\" fill=\"%s\"/>\n", left, y+5, x.at(bar.Value)-left, thick-10, colour)
		c.text(x.at(bar.Value)+6, y+21, "start", bar.Label)
	}
}
