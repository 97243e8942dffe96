package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

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
	reached []time.Duration // from the PUT's answer to a callback, of all stores and changes
	all     []time.Duration // to the last callback of a change
}

// fleet measures what many stores cost.
func (b *bench) fleet(ctx context.Context) (report.Section, error) {
	if err := b.Create(ctx, fleetMap, readKeys, valueSize); err != nil {
		return report.Section{}, err
	}
	var fleets []*fleet
	t := report.Table{Header: []string{"stores", "all are open after", "heap each", "a change reaches one, p50", "p99", "reaches all, p50"}}
	typical, late := chart.Series{Name: "all stores"}, chart.Series{Name: "one store"}
	for _, size := range pick(b, []int{1, 3, 10, 30, 100, 300, 1000}, []int{1, 30}) {
		f, err := b.sail(ctx, size)
		if err != nil {
			return report.Section{}, err
		}
		fleets = append(fleets, f)
		t.Rows = append(t.Rows, []string{
			report.Count(size), report.Duration(f.opening), report.Bytes(f.heap),
			report.Duration(stats.Median(f.reached)), report.Duration(stats.Percentile(f.reached, 99)), report.Duration(stats.Median(f.all)),
		})
		point := func(d time.Duration) chart.Point {
			return chart.Point{X: float64(size), Y: max(d, 10*time.Microsecond).Seconds() * 1000}
		}
		typical.Points = append(typical.Points, point(stats.Median(f.all)))
		late.Points = append(late.Points, point(stats.Median(f.reached)))
	}
	last := fleets[len(fleets)-1]
	step, where := steepest(fleets)
	return report.Section{
		Title: "Many stores in one process",
		Text: `All stores share one client and follow the same map of 100 keys. The time runs from the
moment in which a change by a bare PUT was sent. The server sends the change to each
store, so the time until all know grows with their number; a step would show as a
growth that is steeper than that of the number, of the heap or of the time in the least
disturbed tenth of the changes.`,
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
		Tables: []report.Table{t},
		Charts: []report.Chart{{File: "fleet.svg", Alt: "Milliseconds until a change has reached many stores of one process", Picture: chart.Lines{
			Title: "From sending a change until stores know it", X: "stores of one process, with one client", Y: "p50, ms", LogX: true, LogY: true,
			LegendTop: true, LegendLeft: true, Series: []chart.Series{typical, late},
		}}},
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
func (b *bench) sail(ctx context.Context, size int) (*fleet, error) {
	b.say("    %d stores", size)
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	first, err := b.Store(ctx, client, fleetMap) // has what all share made
	if err != nil {
		return nil, err
	}
	defer first.Close()
	writer, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer writer.Close()
	putter, err := b.Putter(ctx, writer, fleetMap)
	if err != nil {
		return nil, err
	}

	f := &fleet{size: size}
	before, start := live(), time.Now()
	stores := make([]*mapstore.Store, size)
	defer func() {
		for _, store := range stores {
			if store != nil {
				store.Close()
			}
		}
	}()
	var group errgroup.Group
	group.SetLimit(32) // a thousand handshakes at once are another measurement
	for i := range stores {
		group.Go(func() (err error) {
			stores[i], err = b.Store(ctx, client, fleetMap)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	f.opening = time.Since(start)
	f.heap = (live() - before) / float64(size)

	calls := make(chan sighting, 2*size)
	for _, store := range stores {
		store.OnChange(func(change mapstore.Change) { calls <- sighting{change.New.Revision(), time.Now()} })
	}
	if err := f.hear(ctx, calls, putter.Revision(), nil); err != nil { // each hears of the present state
		return nil, err
	}
	for i := range pick(b, min(100, 10+2000/size), 5) {
		sent := time.Now()
		if err := putter.Set(ctx, rig.Key(i%readKeys), rig.Value(1_000_000+1000*size+i, valueSize)); err != nil {
			return nil, err
		}
		if err := f.hear(ctx, calls, putter.Revision(), &sent); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// hear waits until all stores know a revision, and notes when if it is told
// since when.
func (f *fleet) hear(ctx context.Context, calls <-chan sighting, revision string, since *time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var last time.Duration
	for heard := 0; heard < f.size; {
		select {
		case call := <-calls:
			if call.revision != revision {
				continue
			}
			heard++
			if since != nil {
				took := call.at.Sub(*since)
				last = max(last, took)
				f.reached = append(f.reached, took)
			}
		case <-ctx.Done():
			return fmt.Errorf("%d of %d stores have not heard of a change: %w", f.size-heard, f.size, ctx.Err())
		}
	}
	if since != nil {
		f.all = append(f.all, last)
	}
	return nil
}
