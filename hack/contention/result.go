package contention

import (
	"slices"
	"time"
)

// A Result is what became of a pattern's writes.
type Result struct {
	Pattern Pattern
	Network Network
	Groups  []*GroupResult
	PUTs    int           // answered, by whatever status
	Patches int           // answered
	Took    time.Duration // until the last write ended
}

// A GroupResult is the writes of one group.
type GroupResult struct {
	Group
	Took   []time.Duration // of each write that was applied
	Counts []int           // writes applied, by store
	Runs   int             // how often functions ran
	Failed int
	Errors []error
	// Gap is the longest time in which a store, which wrote all the time, applied nothing.
	Gap time.Duration
}

// Applied is how many writes were applied.
func (r *Result) Applied() (n int) {
	for _, g := range r.Groups {
		n += len(g.Took)
	}
	return n
}

// Failed is how many writes failed.
func (r *Result) Failed() (n int) {
	for _, g := range r.Groups {
		n += g.Failed
	}
	return n
}

// Bares is how long it took, in bare PUTs for each write: 1 is one after the other.
func (r *Result) Bares() float64 {
	return r.Took.Seconds() / (float64(max(r.Applied(), 1)) * r.Network.Bare().Seconds())
}

// PerSecond is the rate of applied writes.
func (r *Result) PerSecond() float64 { return float64(r.Applied()) / r.Took.Seconds() }

// PUTsEach is how many PUTs there were for each write.
func (r *Result) PUTsEach() float64 { return float64(r.PUTs) / float64(max(r.Applied(), 1)) }

// Quantile is the write that took longer than a share q of all.
func (g *GroupResult) Quantile(q float64) time.Duration {
	if len(g.Took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(g.Took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Fairness is the writes of the store with the fewest, to those of the one with the most.
func (g *GroupResult) Fairness() float64 {
	most := slices.Max(g.Counts)
	if most == 0 {
		return 0
	}
	return float64(slices.Min(g.Counts)) / float64(most)
}
