package load

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Result is what a load has brought.
type Result struct {
	Plan
	rig.Counts
	Elapsed        time.Duration
	InTime         int // operations acknowledged within Elapsed
	Acknowledged   int // also those that came to their end after it
	Failed         int
	Failure        error // one of them
	P50, P99, Max  time.Duration
	CommitsByStore []int          // requests that committed, by process
	First          mapstore.Stats // of the first store, where there are stores
}

func newResult(plan Plan, writers []*writer, elapsed time.Duration) *Result {
	r := &Result{Plan: plan, Elapsed: elapsed}
	var latencies []time.Duration
	for _, w := range writers {
		r.InTime += w.inTime
		r.Acknowledged += w.acknowledged
		r.Failed += w.failed
		if w.failure != nil {
			r.Failure = w.failure
		}
		latencies = append(latencies, w.latencies...)
	}
	r.P50, r.P99, r.Max = stats.Median(latencies), stats.Percentile(latencies, 99), stats.Percentile(latencies, 100)
	return r
}

// PerSecond is the throughput: acknowledged operations a second.
func (r *Result) PerSecond() float64 { return float64(r.InTime) / r.Elapsed.Seconds() }

// SuccessShare is the share of the operations that were acknowledged; 0 without any.
func (r *Result) SuccessShare() float64 {
	return float64(r.Acknowledged) / float64(max(r.Acknowledged+r.Failed, 1))
}

// Fairness is how many requests the least lucky process committed for each of
// the luckiest; 1 is fair.
func (r *Result) Fairness() float64 {
	return float64(slices.Min(r.CommitsByStore)) / float64(max(slices.Max(r.CommitsByStore), 1))
}

// OnItsWay is the share of the time in which the first store waited for the
// answer to a request.
func (r *Result) OnItsWay() float64 { return r.First.RequestTime.Seconds() / r.Elapsed.Seconds() }

// Print writes a table.
func Print(out io.Writer, results ...*Result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "strategy\tstores\twriters\twrites/s\tp50\tp99\tmax\tfailed\tPUTs\tconflicts\tcommit\tGETs\tmin/max\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%s\t%s\t%s\t%d\t%d\t%d\t%.0f %%\t%d\t%.2f\t\n",
			r.Strategy, r.Stores, r.Writers, r.PerSecond(), ms(r.P50), ms(r.P99), ms(r.Max),
			r.Failed, r.PUTs, r.Conflicts, 100*r.CommitShare(), r.GETs, r.Fairness())
	}
	_ = w.Flush()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
