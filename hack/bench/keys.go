package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// keys measures what the number of keys costs.
func (b *bench) keys(ctx context.Context) (report.Section, error) {
	t := report.Table{Header: []string{"keys", "bytes of values", "Get", "Set, p50", "bare PUT, p50", "ratio", "an event", "to " + justDecode}}
	sets, puts := chart.Series{Name: "mapstore Set"}, chart.Series{Name: "bare guarded PUT"}
	for _, keys := range pick(b, []int{10, 100, 1000, 3000, 10_000}, []int{10, 1000}) {
		b.say("    %d keys", keys)
		d, err := b.duel(ctx, keys, valueSize)
		if err != nil {
			return report.Section{}, err
		}
		f, err := d.fight(ctx, pick(b, min(300, 300_000/keys), 10))
		if err != nil {
			d.close()
			return report.Section{}, err
		}
		names := make([]string, keys)
		for i := range names {
			names[i] = rig.Key(i)
		}
		read := benchmark(pick(b, 100*time.Millisecond, 5*time.Millisecond), reader{ours, keys, func() (n int) {
			for _, name := range names {
				value, _ := d.store.Get(name)
				n += len(value)
			}
			return n
		}}.serial)
		d.close()
		p, err := newPrepared(keys, valueSize)
		if err != nil {
			return report.Section{}, err
		}
		took, _, err := b.take(ctx, p, pick(b, 3, 1))
		if err != nil {
			return report.Section{}, err
		}
		set, put := stats.Median(f.sets), stats.Median(f.puts)
		sets.Points = append(sets.Points, chart.Point{X: float64(keys), Y: set.Seconds() * 1000})
		puts.Points = append(puts.Points, chart.Point{X: float64(keys), Y: put.Seconds() * 1000})
		t.Rows = append(t.Rows, []string{
			report.Count(keys), report.Bytes(float64(keys * valueSize)), report.Nanoseconds(read.Extra[perRead]),
			report.Duration(set), report.Duration(put), report.Times(stats.Ratio(f.sets, f.puts)),
			report.Nanoseconds(stats.Median(took[ours])), report.Times(stats.Ratio(took[ours], took[justDecode])),
		})
	}
	return report.Section{
		Title: "Cost over the number of keys",
		Text: fmt.Sprintf(`Values of %d bytes, so that 10,000 keys come close to the limit of 1 MiB. A write sends
the whole map, whoever sends it. A read goes through all keys, which at some number
no longer fit the processor's caches. An event is taken as in the section before; of a
small map, what is not decoding is the way from one goroutine to the next.`, valueSize),
		Tables: []report.Table{t},
		Charts: []report.Chart{{File: "keys.svg", Alt: "Milliseconds for a write over the number of keys", Picture: chart.Lines{
			Title: "A write, by the number of keys in the map", X: fmt.Sprintf("keys, of %d bytes each", valueSize), Y: "p50, ms", LogX: true, LogY: true,
			LegendTop: true, LegendLeft: true, Series: []chart.Series{sets, puts},
		}}},
	}, nil
}
