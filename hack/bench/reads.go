package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// benchmark runs a Go benchmark for about so long.
func benchmark(lasts time.Duration, fn func(*testing.B)) testing.BenchmarkResult {
	_ = flag.Set("test.benchtime", lasts.String()) // a valid value of a flag that exists
	return testing.Benchmark(fn)
}

// A reading is what one reader's rounds have brought.
type reading struct {
	serial, parallel []float64 // ns a read, by round
	allocs           float64   // a read, in the worst round
}

// reads compares what a read costs.
func (b *bench) reads(ctx context.Context) (report.Section, error) {
	readers, closeAll, err := b.readers(ctx)
	if err != nil {
		return report.Section{}, err
	}
	defer closeAll()
	readings := make(map[string]*reading)
	for range pick(b, 11, 2) {
		for _, r := range readers {
			if ctx.Err() != nil {
				return report.Section{}, ctx.Err()
			}
			m := readings[r.name]
			if m == nil {
				m = &reading{}
				readings[r.name] = m
			}
			lasts := pick(b, 60*time.Millisecond, 5*time.Millisecond)
			one, many := benchmark(lasts, r.serial), benchmark(lasts, r.parallel)
			m.serial = append(m.serial, one.Extra[perRead])
			m.parallel = append(m.parallel, many.Extra[perRead])
			m.allocs = max(m.allocs, float64(one.AllocsPerOp())/float64(r.reads), float64(many.AllocsPerOp())/float64(r.reads))
		}
	}
	return readsSection(readers, readings), nil
}

func readsSection(readers []reader, readings map[string]*reading) report.Section {
	slices.SortFunc(readers, func(a, b reader) int {
		if stats.Median(readings[a.name].serial) < stats.Median(readings[b.name].serial) {
			return -1
		}
		return 1
	})
	table := report.Table{Header: []string{"", "ns a read", "on all cores at once", "allocations a read", "to " + bare}}
	bars := chart.Bars{Title: "A read of one key, 100 keys in the map", X: "nanoseconds"}
	for _, r := range readers {
		m := readings[r.name]
		typical := stats.Median(m.serial)
		table.Rows = append(table.Rows, []string{
			r.name,
			report.Nanoseconds(typical),
			report.Nanoseconds(stats.Median(m.parallel)),
			fmt.Sprintf("%.3g", m.allocs),
			fmt.Sprintf("%.3gx", stats.Ratio(m.serial, readings[bare].serial)),
		})
		bars.Bars = append(bars.Bars, chart.Bar{Name: r.name, Value: typical, Label: report.Nanoseconds(typical), Ours: r.name == ours})
	}
	own, other := readings[ours], readings[bare]
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
	return report.Section{
		Title: "Reads",
		Text: `Each way to read goes through all 100 keys of a map with values of 100 bytes, again
and again. On all cores at once, a read's time is the elapsed time over all reads, so
it falls with the number of cores where readers do not hold each other up. A
ConfigMap from client-go's lister is shared and must not be changed; the cache of
controller-runtime copies it. Viper and koanf hold the values in memory and do not
follow the cluster.`,
		Targets: []report.Target{
			target("Get, 100 keys", own.serial, other.serial),
			target("Get, 100 keys, all cores at once", own.parallel, other.parallel),
		},
		Tables: []report.Table{table},
		Charts: []report.Chart{{File: "reads.svg", Picture: bars, Alt: "Nanoseconds for a read of one key, by way of reading"}},
	}
}
