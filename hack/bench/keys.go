package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// keys measures what the number of keys costs.
func (b *bench) keys(ctx context.Context) (*report.Section, error) {
	t := report.Table{Header: []string{"keys", "bytes of values", "Get", "Set, p50", "bare PUT, p50", "ratio"}}
	sets, puts := chart.Series{Name: "mapstore Set"}, chart.Series{Name: "bare guarded PUT"}
	for _, keys := range pick(b, []int{10, 100, 1000, 3000, 10_000}, []int{10, 1000}) {
		b.say("    %d keys", keys)
		d, err := b.duel(ctx, keys, valueSize)
		if err != nil {
			return nil, err
		}
		err = d.fight(ctx, pick(b, min(300, 300_000/keys), 10))
		read := benchmark(pick(b, 100*time.Millisecond, 5*time.Millisecond), fromStore(d.Store, keys).serial)
		d.close()
		if err != nil {
			return nil, err
		}
		set, put := stats.Median(d.sets), stats.Median(d.puts)
		sets.Points = append(sets.Points, chart.Point{X: float64(keys), Y: set.Seconds() * 1000})
		puts.Points = append(puts.Points, chart.Point{X: float64(keys), Y: put.Seconds() * 1000})
		t.Add(
			report.Count(keys), report.Bytes(float64(keys*valueSize)), report.Nanoseconds(read.Extra[perRead]),
			report.Duration(set), report.Duration(put), report.Times(stats.Ratio(d.sets, d.puts)),
		)
	}
	return &report.Section{
		Table: t,
		Charts: map[string]chart.Picture{"keys.svg": chart.Lines{
			Title: "A write, by the number of keys in the map", X: fmt.Sprintf("keys, of %d bytes each", valueSize), Y: "p50, ms", LogY: true,
			LegendLeft: true, Series: []chart.Series{sets, puts},
		}},
	}, nil
}
