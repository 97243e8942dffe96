package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const fleetMap = "fleet"

// A fleet is many stores of one process, with one client and one map.
type fleet struct {
	size    int
	opening time.Duration
	heap    float64         // each
	reached []time.Duration // from sending the PUT to a callback, of all stores and changes
	all     []time.Duration // to the last callback of a change
}

// fleet measures what many stores cost.
func (b *bench) fleet(ctx context.Context) (*report.Section, error) {
	if err := b.Create(ctx, fleetMap, readKeys, valueSize); err != nil {
		return nil, err
	}
	process, err := b.Process(ctx, fleetMap) // has made what all share
	if err != nil {
		return nil, err
	}
	defer process.Close()
	putter, err := b.Putter(ctx, fleetMap)
	if err != nil {
		return nil, err
	}
	defer putter.Close()
	var fleets []*fleet
	t := report.Table{Header: []string{"stores", "all are open after", "heap each", "a change reaches one, p50", "p99", "reaches all, p50"}}
	typical, late := chart.Series{Name: "all stores"}, chart.Series{Name: "one store"}
	for _, size := range pick(b, []int{1, 3, 10, 30, 100, 300, 1000}, []int{1, 30}) {
		f, err := b.sail(ctx, process.Client, putter, size)
		if err != nil {
			return nil, err
		}
		fleets = append(fleets, f)
		t.Add(
			report.Count(size), report.Duration(f.opening), report.Bytes(f.heap),
			report.Duration(stats.Median(f.reached)), report.Duration(stats.Percentile(f.reached, 99)), report.Duration(stats.Median(f.all)),
		)
		point := func(d time.Duration) chart.Point {
			return chart.Point{X: float64(size), Y: max(d, 10*time.Microsecond).Seconds() * 1000}
		}
		typical.Points = append(typical.Points, point(stats.Median(f.all)))
		late.Points = append(late.Points, point(stats.Median(f.reached)))
	}
	last := fleets[len(fleets)-1]
	step, where := steepest(fleets)
	return &report.Section{
		Targets: []report.Target{
			{
				What: report.Count(last.size) + " stores in one process", Against: "-",
				Measured: fmt.Sprintf("a change reaches one: p99 %s; all: p50 %s; heap each %s",
					report.Duration(stats.Percentile(last.reached, 99)), report.Duration(stats.Median(last.all)), report.Bytes(last.heap)),
				Goal: "a change reaches all", Met: len(last.reached) == last.size*len(last.all),
			},
			{
				What: "no step from 1 to " + report.Count(last.size) + " stores", Against: "growth of the number",
				Measured: fmt.Sprintf("steepest %s", where), Ratio: report.Times(step),
				Goal: "time until all know, and heap of all: <= 1.5x as steep", Met: step <= 1.5,
			},
		},
		Table: t,
		Charts: map[string]chart.Picture{"fleet.svg": chart.Lines{
			Title: "From sending a change until stores know it", X: "stores of one process, with one client", Y: "p50, ms", LogY: true,
			LegendLeft: true, Series: []chart.Series{typical, late},
		}},
	}, nil
}

// steepest returns how much more than the number of stores the worst figure grew
// from one size to the next.
func steepest(fleets []*fleet) (worst float64, where string) {
	where = "nowhere"
	for i := range len(fleets) - 1 {
		a, b := fleets[i], fleets[i+1]
		times := float64(b.size) / float64(a.size)
		for _, figure := range []struct {
			name string
			grew float64
		}{
			{"time", float64(stats.Percentile(b.all, 10)) / float64(stats.Percentile(a.all, 10))},
			{"heap", b.heap * float64(b.size) / (a.heap * float64(a.size))},
		} {
			if steep := figure.grew / times; steep > worst {
				worst, where = steep, fmt.Sprintf("%s from %d to %d", figure.name, a.size, b.size)
			}
		}
	}
	return worst, where
}

// sail opens a fleet of one size, and changes the map.
func (b *bench) sail(ctx context.Context, client *rig.Client, putter *rig.Putter, size int) (*fleet, error) {
	b.say("    %d stores", size)
	f := &fleet{size: size}
	stores := make([]*mapstore.Store, size)
	open := func(i int) (_ func(), err error) {
		stores[i], err = b.Store(ctx, client, fleetMap)
		return func() {
			stores[i].Close()
			stores[i] = nil // nor in the heap any more
		}, err
	}
	var err error
	if f.heap, err = heapOf(pick(b, max(min(15, 60/size), 1), 1), size, open); err != nil {
		return nil, err
	}
	start := time.Now()
	closeAll, err := openAll(size, open)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	f.opening = time.Since(start)

	seen := make(sightings, 2*size)
	for _, store := range stores {
		store.OnChange(seen.noteChange)
	}
	if _, err := seen.await(ctx, putter.Revision(), size); err != nil { // each hears of the present state
		return nil, err
	}
	for i := range pick(b, min(100, 10+2000/size), 5) {
		sent := time.Now()
		if err := putter.Set(ctx, rig.Key(i%readKeys), rig.Value(1_000_000+1000*size+i, valueSize)); err != nil {
			return nil, err
		}
		times, err := seen.await(ctx, putter.Revision(), size)
		if err != nil {
			return nil, err
		}
		var last time.Duration
		for _, at := range times {
			took := at.Sub(sent)
			last = max(last, took)
			f.reached = append(f.reached, took)
		}
		f.all = append(f.all, last)
	}
	return f, nil
}
