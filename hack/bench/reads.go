package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// A reading is what one reader's rounds have brought.
type reading struct {
	serial, parallel []float64 // ns a read, by round
	allocs           float64   // a read, in the worst round
}

// reads compares what a read costs.
func (b *bench) reads(ctx context.Context) (*report.Section, error) {
	readers, closeAll, err := b.readers(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	readings := make(map[string]*reading)
	for _, r := range readers {
		readings[r.name] = &reading{}
	}
	for range pick(b, 11, 2) {
		for _, r := range readers {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			m := readings[r.name]
			lasts := pick(b, 60*time.Millisecond, 5*time.Millisecond)
			one, many := benchmark(lasts, r.serial), benchmark(lasts, r.parallel)
			m.serial = append(m.serial, one.Extra[perRead])
			m.parallel = append(m.parallel, many.Extra[perRead])
			m.allocs = max(m.allocs, float64(max(one.AllocsPerOp(), many.AllocsPerOp()))/float64(r.reads))
		}
	}
	slices.SortFunc(readers, func(a, b reader) int {
		return cmp.Compare(stats.Median(readings[a.name].serial), stats.Median(readings[b.name].serial))
	})
	own, other := readings[ours], readings[bare]
	table := report.Table{Header: []string{"", "ns a read", "on all cores at once", "allocations a read", "to " + bare}}
	bars := chart.Bars{Title: "A read of one key, 100 keys in the map", X: "nanoseconds"}
	for _, r := range readers {
		m := readings[r.name]
		typical := stats.Median(m.serial)
		table.Add(
			r.name,
			report.Nanoseconds(typical),
			report.Nanoseconds(stats.Median(m.parallel)),
			fmt.Sprintf("%.3g", m.allocs),
			fmt.Sprintf("%.3gx", stats.Ratio(m.serial, other.serial)),
		)
		bars.Bars = append(bars.Bars, chart.Bar{Name: r.name, Value: typical, Label: report.Nanoseconds(typical), Ours: r.name == ours})
	}
	target := func(what string, a, b []float64) report.Target {
		ratio := stats.Ratio(a, b)
		return report.Target{
			What:     what,
			Against:  bare + ", " + report.Nanoseconds(stats.Median(b)),
			Measured: fmt.Sprintf("%s, %.3g allocations", report.Nanoseconds(stats.Median(a)), own.allocs),
			Ratio:    report.Times(ratio),
			Goal:     "<= 1.2x, 0 allocations",
			Met:      ratio <= 1.2 && own.allocs == 0,
		}
	}
	return &report.Section{
		Targets: []report.Target{
			target("Get, 100 keys", own.serial, other.serial),
			target("Get, 100 keys, all cores at once", own.parallel, other.parallel),
		},
		Table:  table,
		Charts: map[string]chart.Picture{"reads.svg": bars},
	}, nil
}
