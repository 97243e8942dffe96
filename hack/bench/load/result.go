package load

import (
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// A Result is what a load has brought.
type Result struct {
	Plan
	rig.Counts
	Took           time.Duration // until all writers had ended
	InTime         int           // operations acknowledged within the plan's time
	Acknowledged   int           // also those that came to their end after it
	Failed         int
	Failure        error         // one of them
	P50, P99       time.Duration // of those that were acknowledged
	CommitsByStore []int         // requests that committed, by process
}

func newResult(plan Plan, writers []*writer) *Result {
	r := &Result{Plan: plan}
	var latencies []time.Duration
	for _, w := range writers {
		r.InTime += w.inTime
		r.Acknowledged += len(w.latencies)
		r.Failed += w.failed
		if w.failure != nil {
			r.Failure = w.failure
		}
		latencies = append(latencies, w.latencies...)
	}
	r.P50, r.P99 = stats.Median(latencies), stats.Percentile(latencies, 99)
	return r
}

// PerSecond is the throughput: acknowledged operations a second.
func (r *Result) PerSecond() float64 { return float64(r.InTime) / r.For.Seconds() }

// Fairness is how many requests the least lucky process committed for each of
// the luckiest; 1 is fair.
func (r *Result) Fairness() float64 {
	return float64(slices.Min(r.CommitsByStore)) / float64(max(slices.Max(r.CommitsByStore), 1))
}
