// Package stats sums up samples so that single outliers, of which a shared
// machine has many, count for what they are.
package stats

import (
	"cmp"
	"slices"
)

// Percentile returns the smallest sample that p percent of all do not exceed,
// and zero when there is none.
func Percentile[T cmp.Ordered](samples []T, p float64) T {
	if len(samples) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(float64(len(sorted))*p/100+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Median returns the sample in the middle.
func Median[T cmp.Ordered](samples []T) T { return Percentile(samples, 50) }

// Ratio returns the median of the ratios of paired samples: what two rivals
// took one right after the other, in the same weather.
func Ratio[T ~int64 | ~float64](a, b []T) float64 {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return Median(ratios)
}
