package main

import (
	"context"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

const (
	heapKeys  = 1000
	heapBytes = 1000 // of a value
)

// heap measures what a copy of a large map takes.
func (b *bench) heap(ctx context.Context) (*report.Section, error) {
	if err := b.Create(ctx, "heap", heapKeys, heapBytes); err != nil {
		return nil, err
	}
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	const stores = 8
	rounds := pick(b, 9, 1)
	store, err := heapOf(rounds, stores, func() (func(), error) {
		s, err := b.Store(ctx, client, "heap")
		return func() { s.Close() }, err
	})
	if err != nil {
		return nil, err
	}
	informer, err := heapOf(rounds, stores, func() (func(), error) {
		_, stop, err := b.informer(ctx, client, "heap")
		return stop, err
	})
	if err != nil {
		return nil, err
	}
	data := float64(heapKeys * (len(rig.Key(0)) + heapBytes))
	row := func(name string, bytes float64) []string {
		return []string{name, report.Bytes(bytes), report.Times(bytes / data)}
	}
	return &report.Section{
		Targets: []report.Target{{
			What: "heap of a store, 1 MB map", Against: "the data, " + report.Bytes(data),
			Measured: report.Bytes(store), Ratio: report.Times(store / data),
			Goal: "<= 1.25x", Met: store/data <= 1.25,
		}},
		Table: report.Table{
			Header: []string{"", "heap", "to the data"},
			Rows:   [][]string{row("mapstore", store), row("client-go informer", informer)},
		},
	}, nil
}

// heapOf returns what each of n things adds to the heap, the median of several rounds.
// Connections and streams that were told to end do so later, now and then with some 50 kB
// that are then missed from what has been opened meanwhile.
func heapOf(rounds, n int, open func() (stop func(), err error)) (float64, error) {
	var heaps []float64
	for range rounds {
		before := rig.LiveHeap()
		var stops []func()
		var err error
		for range n {
			var stop func()
			if stop, err = open(); err != nil {
				break
			}
			stops = append(stops, stop)
		}
		heaps = append(heaps, (rig.LiveHeap()-before)/float64(n))
		for _, stop := range stops {
			stop()
		}
		if err != nil {
			return 0, err
		}
	}
	return stats.Median(heaps), nil
}
