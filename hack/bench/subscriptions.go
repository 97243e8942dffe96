package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// An audience is subscriptions that all run the same callback.
type audience struct {
	size  int
	heard atomic.Int64 // calls, of all
	wave  chan time.Time
}

// hear notes a call, and tells when the last of a wave was made.
func (a *audience) hear(mapstore.Change) {
	if a.heard.Add(1)%int64(a.size) == 0 {
		a.wave <- time.Now()
	}
}

func (a *audience) await(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	select {
	case at := <-a.wave:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%d of %d subscriptions have not heard of a change: %w",
			int64(a.size)-a.heard.Load()%int64(a.size), a.size, ctx.Err())
	}
}

// subscribers is what a number of subscriptions has cost.
type subscribers struct {
	count      int
	all        []time.Duration // from the acknowledgement of a change to the last call
	bytes      float64         // each, when idle
	goroutines int             // of all, when idle
}

// subscriptions measures what thousands of them cost.
func (b *bench) subscriptions(ctx context.Context) (report.Section, error) {
	if err := b.Create(ctx, "audience", readKeys, valueSize); err != nil {
		return report.Section{}, err
	}
	t := report.Table{Header: []string{"subscriptions", "the last is called after, p50", "p99", "bytes each, idle", "goroutines, idle"}}
	line := chart.Series{Name: "median of the changes"}
	var last *subscribers
	for _, count := range pick(b, []int{1, 10, 100, 1000, 10_000}, []int{1, 1000}) {
		s, err := b.subscribe(ctx, count)
		if err != nil {
			return report.Section{}, err
		}
		last = s
		typical, bytes := stats.Median(s.all), "-"
		if count >= 1000 {
			bytes = report.Bytes(s.bytes)
		}
		t.Rows = append(t.Rows, []string{
			report.Count(count), report.Duration(typical), report.Duration(stats.Percentile(s.all, 99)),
			bytes, report.Count(s.goroutines),
		})
		line.Points = append(line.Points, chart.Point{X: float64(count), Y: max(typical, time.Microsecond).Seconds() * 1000})
	}
	typical := stats.Median(last.all)
	return report.Section{
		Title: "Subscriptions",
		Text: `Subscriptions of one store, to a map of 100 keys, all with the same short callback.
A change is a Set on that store; the time runs from its acknowledgement to the last
call. With few subscriptions that is often below 0, as the calls are made before the Set
returns; it is drawn as 1 µs. The bytes of fewer than 1000 are lost among those of the
whole process.`,
		Targets: []report.Target{
			{
				What: "one change to " + report.Count(last.count) + " subscriptions", Against: "-",
				Measured: fmt.Sprintf("p50 %s, p99 %s", report.Duration(typical), report.Duration(stats.Percentile(last.all, 99))),
				Goal:     "all within 20 ms (p50)", Met: typical <= 20*time.Millisecond,
			},
			{
				What: "an idle subscription", Against: "-",
				Measured: fmt.Sprintf("%s, %d goroutines for all", report.Bytes(last.bytes), last.goroutines),
				Goal:     "<= 300 B, no goroutine", Met: last.bytes <= 300 && last.goroutines == 0,
			},
		},
		Tables: []report.Table{t},
		Charts: []report.Chart{{File: "subscriptions.svg", Alt: "Milliseconds until the last of many subscriptions is called", Picture: chart.Lines{
			Title: "From the acknowledgement of a change to the last callback", X: "subscriptions of one store", Y: "p50, ms", LogX: true, LogY: true,
			LegendTop: true, LegendLeft: true, Series: []chart.Series{line},
		}}},
	}, nil
}

// subscribe measures one number of subscriptions.
func (b *bench) subscribe(ctx context.Context, count int) (*subscribers, error) {
	b.say("    %d subscriptions", count)
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	store, err := b.Store(ctx, client, "audience")
	if err != nil {
		return nil, err
	}
	defer store.Close()
	a := &audience{size: count, wave: make(chan time.Time, 1)}
	s := &subscribers{count: count}
	// The first keeps the diff of the first change, which all share.
	store.Update(ctx, func(*mapstore.Tx) error { return nil }) //nolint:errcheck // it warms up; what is wrong shows below
	before, goroutines := live(), runtime.NumGoroutine()
	hear := a.hear
	for range count {
		store.OnChange(hear)
	}
	if _, err := a.await(ctx); err != nil { // each hears of the present state
		return nil, err
	}
	s.goroutines = settled(goroutines)
	s.bytes = (live() - before) / float64(count)
	for i := range pick(b, 60, 5) {
		if err := store.Set(ctx, rig.Key(i%readKeys), rig.Value(1_000_000+1000*count+i, valueSize)); err != nil {
			return nil, err
		}
		acknowledged := time.Now()
		at, err := a.await(ctx)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, at.Sub(acknowledged))
	}
	return s, nil
}

// settled returns how many goroutines there are above what there were before, at
// the least: other goroutines than those in question come and go.
func settled(before int) int {
	least := runtime.NumGoroutine()
	for range 50 {
		if least <= before {
			return 0
		}
		time.Sleep(2 * time.Millisecond) // polls
		least = min(least, runtime.NumGoroutine())
	}
	return least - before
}
