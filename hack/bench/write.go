package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// write compares a single Set with the least that a write can be: a store and a
// putter, each with a map of its own and otherwise alike, write in turns.
func (b *bench) write(ctx context.Context) (*report.Section, error) {
	for _, name := range []string{"write-store", "write-put"} {
		if err := b.Create(ctx, name, readKeys, valueSize); err != nil {
			return nil, err
		}
	}
	process, err := b.Process(ctx, "write-store")
	if err != nil {
		return nil, err
	}
	defer process.Close()
	putter, err := b.Putter(ctx, "write-put")
	if err != nil {
		return nil, err
	}
	defer putter.Close()
	var sets, puts []time.Duration
	var setsBefore, putsBefore rig.Counts
	warmUp := pick(b, 50, 5)
	for i := range warmUp + pick(b, 1500, 30) {
		if i == warmUp {
			sets, puts = nil, nil
			setsBefore, putsBefore = process.Client.Counts(), putter.Counts()
		}
		key, value := rig.Key(0), rig.Value(i+1, valueSize)
		set := func() error { return clock(&sets, func() error { return process.Store.Set(ctx, key, value) }) }
		put := func() error { return clock(&puts, func() error { return putter.Set(ctx, key, value) }) }
		if i%2 == 1 { // each is first in every other turn
			set, put = put, set
		}
		if err := set(); err != nil {
			return nil, err
		}
		if err := put(); err != nil {
			return nil, err
		}
	}
	setCost, putCost := process.Client.Counts().Since(setsBefore), putter.Counts().Since(putsBefore)
	n := int64(len(sets))
	each := func(count int64) string { return fmt.Sprintf("%.3g", float64(count)/float64(n)) }
	row := func(name string, took []time.Duration, cost rig.Counts) []string {
		return []string{
			name, report.Duration(stats.Median(took)), report.Duration(stats.Percentile(took, 99)),
			each(cost.PUTs), each(cost.Others),
		}
	}
	ratio := stats.Ratio(sets, puts)
	return &report.Section{
		Targets: []report.Target{{
			What:     "Set, one writer",
			Against:  "a bare guarded PUT, " + report.Duration(stats.Median(puts)),
			Measured: fmt.Sprintf("%s, %s PUTs, %s other requests", report.Duration(stats.Median(sets)), each(setCost.PUTs), each(setCost.Others)),
			Ratio:    report.Times(ratio),
			Goal:     "<= 1.15x, one request, no GET",
			Met:      ratio <= 1.15 && setCost == rig.Counts{PUTs: n},
		}},
		Table: report.Table{
			Header: []string{"", "p50", "p99", "PUTs", "other requests"},
			Rows: [][]string{
				row("mapstore Set", sets, setCost),
				row("bare guarded PUT", puts, putCost),
			},
		},
	}, nil
}
