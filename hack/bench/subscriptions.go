package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// An audience is subscriptions that all run the same callback. They note the last
// call of a change only: to note ten thousand would take as long as to make them.
type audience struct {
	size  int
	heard atomic.Int64 // calls, of all
	last  sightings
	all   []time.Duration // from the acknowledgement of a change to the last call
}

func (a *audience) hear(change mapstore.Change) {
	if a.heard.Add(1)%int64(a.size) == 0 {
		a.last.noteChange(change)
	}
}

// subscriptions measures what thousands of them cost.
func (b *bench) subscriptions(ctx context.Context) (*report.Section, error) {
	if err := b.Create(ctx, "audience", readKeys, valueSize); err != nil {
		return nil, err
	}
	t := report.Table{Header: []string{"subscriptions", "the last is called after, p50", "p99"}}
	line := chart.Series{Name: "median of the changes"}
	var a *audience
	for _, size := range pick(b, []int{1, 10, 100, 1000, 10_000}, []int{1, 1000}) {
		a = &audience{size: size, last: make(sightings, many)}
		if err := b.subscribe(ctx, a); err != nil {
			return nil, err
		}
		typical := stats.Median(a.all)
		t.Add(
			report.Count(size), report.Duration(typical), report.Duration(stats.Percentile(a.all, 99)),
		)
		line.Points = append(line.Points, chart.Point{X: float64(size), Y: max(typical, time.Microsecond).Seconds() * 1000})
	}
	typical := stats.Median(a.all)
	return &report.Section{
		Targets: []report.Target{{
			What: "one change to " + report.Count(a.size) + " subscriptions", Against: "-",
			Measured: fmt.Sprintf("p50 %s, p99 %s", report.Duration(typical), report.Duration(stats.Percentile(a.all, 99))),
			Goal:     "all within 20 ms (p50)", Met: typical <= 20*time.Millisecond,
		}},
		Table: t,
		Charts: map[string]chart.Picture{"subscriptions.svg": chart.Lines{
			Title: "From the acknowledgement of a change to the last callback", X: "subscriptions of one store", Y: "p50, ms", LogY: true,
			LegendLeft: true, Series: []chart.Series{line},
		}},
	}, nil
}

// subscribe measures one number of subscriptions.
func (b *bench) subscribe(ctx context.Context, a *audience) error {
	b.say("    %d subscriptions", a.size)
	process, err := b.Process(ctx, "audience")
	if err != nil {
		return err
	}
	defer process.Close()
	store := process.Store
	hear := a.hear
	for range a.size {
		store.OnChange(hear)
	}
	if _, err := a.last.await(ctx, store.Snapshot().Revision(), 1); err != nil { // each hears of the present state
		return err
	}
	for i := range pick(b, 60, 5) {
		snapshot, err := store.Update(ctx, func(tx *mapstore.Tx) error {
			tx.Set(rig.Key(i%readKeys), rig.Value(1_000_000+1000*a.size+i, valueSize))
			return nil
		})
		acknowledged := time.Now()
		if err != nil {
			return err
		}
		at, err := a.last.await(ctx, snapshot.Revision(), 1)
		if err != nil {
			return err
		}
		a.all = append(a.all, at[0].Sub(acknowledged))
	}
	return nil
}
