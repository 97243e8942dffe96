package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A duel is a store and a putter, each with a map of its own and otherwise
// alike, that write in turns.
type duel struct {
	storeClient, putClient *rig.Client
	store                  *mapstore.Store
	putter                 *rig.Putter
	valueBytes             int
	writes                 int // so far
}

// A bout is what came out of one.
type bout struct {
	sets, puts       []time.Duration
	setCost, putCost rig.Counts
}

func (b *bench) duel(ctx context.Context, keys, valueBytes int) (_ *duel, err error) {
	d := &duel{valueBytes: valueBytes}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, name := range []string{"duel-store", "duel-put"} {
		if err := b.Create(ctx, name, keys, valueBytes); err != nil {
			return nil, err
		}
	}
	if d.storeClient, err = b.Client(); err != nil {
		return nil, err
	}
	if d.putClient, err = b.Client(); err != nil {
		return nil, err
	}
	if d.store, err = b.Store(ctx, d.storeClient, "duel-store"); err != nil {
		return nil, err
	}
	d.putter, err = b.Putter(ctx, d.putClient, "duel-put")
	return d, err
}

func (d *duel) close() {
	if d.store != nil {
		d.store.Close()
	}
	for _, client := range []*rig.Client{d.storeClient, d.putClient} {
		if client != nil {
			client.Close()
		}
	}
}

// fight lets both write so often, in turns and each first in every other.
func (d *duel) fight(ctx context.Context, rounds int) (*bout, error) {
	var result bout
	storeBefore, putBefore := d.storeClient.Counts(), d.putClient.Counts()
	for i := range rounds {
		d.writes++
		key, value := rig.Key(0), rig.Value(d.writes, d.valueBytes)
		set := func() error { return clock(&result.sets, func() error { return d.store.Set(ctx, key, value) }) }
		put := func() error { return clock(&result.puts, func() error { return d.putter.Set(ctx, key, value) }) }
		if i%2 == 1 {
			set, put = put, set
		}
		if err := set(); err != nil {
			return nil, err
		}
		if err := put(); err != nil {
			return nil, err
		}
	}
	result.setCost = d.storeClient.Counts().Since(storeBefore)
	result.putCost = d.putClient.Counts().Since(putBefore)
	return &result, nil
}

// clock appends how long fn takes.
func clock(took *[]time.Duration, fn func() error) error {
	start := time.Now()
	err := fn()
	*took = append(*took, time.Since(start))
	return err
}

// write compares a single Set with the least that a write can be.
func (b *bench) write(ctx context.Context) (report.Section, error) {
	d, err := b.duel(ctx, 100, 100)
	if err != nil {
		return report.Section{}, err
	}
	defer d.close()
	if _, err := d.fight(ctx, pick(b, 50, 5)); err != nil { // a warm-up
		return report.Section{}, err
	}
	f, err := d.fight(ctx, pick(b, 1500, 30))
	if err != nil {
		return report.Section{}, err
	}
	ratio := stats.Ratio(f.sets, f.puts)
	n := int64(len(f.sets))
	row := func(name string, took []time.Duration, cost rig.Counts) []string {
		each := func(count int64) string { return fmt.Sprintf("%.3g", float64(count)/float64(n)) }
		return []string{
			name, report.Duration(stats.Median(took)), report.Duration(stats.Percentile(took, 99)),
			each(cost.PUTs), each(cost.GETs + cost.Lists), each(cost.Watches + cost.Others),
		}
	}
	return report.Section{
		Title: "A write",
		Text: `One writer sets one key of 100, with values of 100 bytes. The bare guarded PUT is
client-go's Update of an object in hand, with the resource version that the answer
to the one before brought: the least that a write can be that does not overwrite
others' changes. Both write in turns, to a map of their own. The ratio is the
median of the ratios of neighbours.`,
		Targets: []report.Target{{
			What:     "Set, one writer",
			Against:  "a bare guarded PUT, " + report.Duration(stats.Median(f.puts)),
			Measured: fmt.Sprintf("%s, %.3g PUTs, %.3g other requests", report.Duration(stats.Median(f.sets)), float64(f.setCost.PUTs)/float64(n), float64(f.setCost.Total()-f.setCost.PUTs)/float64(n)),
			Ratio:    report.Times(ratio),
			Goal:     "<= 1.15x, one request, no GET",
			Met:      ratio <= 1.15 && f.setCost == rig.Counts{PUTs: n},
		}},
		Tables: []report.Table{{
			Header: []string{"", "p50", "p99", "PUTs", "GETs", "other requests"},
			Rows: [][]string{
				row("mapstore Set", f.sets, f.setCost),
				row("bare guarded PUT", f.puts, f.putCost),
			},
		}},
	}, nil
}
