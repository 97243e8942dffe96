package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// A duel is a store and a putter, each with a map of its own and otherwise
// alike, that write in turns.
type duel struct {
	*rig.Process
	putter     *rig.Putter
	valueBytes int
	writes     int // so far

	sets, puts       []time.Duration // of the last fight
	setCost, putCost rig.Counts
}

func (b *bench) duel(ctx context.Context, keys, valueBytes int) (*duel, error) {
	for _, name := range []string{"duel-store", "duel-put"} {
		if err := b.Create(ctx, name, keys, valueBytes); err != nil {
			return nil, err
		}
	}
	process, err := b.Process(ctx, "duel-store")
	if err != nil {
		return nil, err
	}
	putter, err := b.Putter(ctx, "duel-put")
	if err != nil {
		process.Close()
		return nil, err
	}
	return &duel{Process: process, putter: putter, valueBytes: valueBytes}, nil
}

func (d *duel) close() {
	d.Close()
	d.putter.Close()
}

// fight lets both write so often, in turns and each first in every other.
func (d *duel) fight(ctx context.Context, rounds int) error {
	d.sets, d.puts = nil, nil
	setsBefore, putsBefore := d.Client.Counts(), d.putter.Counts()
	for i := range rounds {
		d.writes++
		key, value := rig.Key(0), rig.Value(d.writes, d.valueBytes)
		set := func() error { return clock(&d.sets, func() error { return d.Store.Set(ctx, key, value) }) }
		put := func() error { return clock(&d.puts, func() error { return d.putter.Set(ctx, key, value) }) }
		if i%2 == 1 {
			set, put = put, set
		}
		if err := set(); err != nil {
			return err
		}
		if err := put(); err != nil {
			return err
		}
	}
	d.setCost, d.putCost = d.Client.Counts().Since(setsBefore), d.putter.Counts().Since(putsBefore)
	return nil
}

// write compares a single Set with the least that a write can be.
func (b *bench) write(ctx context.Context) (*report.Section, error) {
	d, err := b.duel(ctx, readKeys, valueSize)
	if err != nil {
		return nil, err
	}
	defer d.close()
	for _, rounds := range []int{pick(b, 50, 5), pick(b, 1500, 30)} { // the first is a warm-up
		if err := d.fight(ctx, rounds); err != nil {
			return nil, err
		}
	}
	n := int64(len(d.sets))
	each := func(count int64) string { return fmt.Sprintf("%.3g", float64(count)/float64(n)) }
	row := func(name string, took []time.Duration, cost rig.Counts) []string {
		return []string{
			name, report.Duration(stats.Median(took)), report.Duration(stats.Percentile(took, 99)),
			each(cost.PUTs), each(cost.Others),
		}
	}
	ratio := stats.Ratio(d.sets, d.puts)
	return &report.Section{
		Targets: []report.Target{{
			What:     "Set, one writer",
			Against:  "a bare guarded PUT, " + report.Duration(stats.Median(d.puts)),
			Measured: fmt.Sprintf("%s, %s PUTs, %s other requests", report.Duration(stats.Median(d.sets)), each(d.setCost.PUTs), each(d.setCost.Others)),
			Ratio:    report.Times(ratio),
			Goal:     "<= 1.15x, one request, no GET",
			Met:      ratio <= 1.15 && d.setCost == rig.Counts{PUTs: n},
		}},
		Table: report.Table{
			Header: []string{"", "p50", "p99", "PUTs", "other requests"},
			Rows: [][]string{
				row("mapstore Set", d.sets, d.setCost),
				row("bare guarded PUT", d.puts, d.putCost),
			},
		},
	}, nil
}
