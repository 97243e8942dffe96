package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

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

// fewTicks are plot's own, with numbers as people write them.
type fewTicks struct{}

// Ticks returns the ticks.
func (fewTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, tick := range ticks {
		if value, err := strconv.ParseFloat(tick.Label, 64); err == nil {
			ticks[i].Label = number(value)
		}
	}
	return ticks
}
