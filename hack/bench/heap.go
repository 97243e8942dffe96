package main

import (
	"context"
	"runtime"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// live returns the bytes on the heap that are in use. What finalizers and pools
// hold is gone after the second collection, not after the first.
func live() float64 {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

const (
	heapKeys  = 1000
	heapBytes = 1000 // of a value
)

// heap measures what a copy of a large map takes.
func (b *bench) heap(ctx context.Context) (report.Section, error) {
	if err := b.Create(ctx, "heap", heapKeys, heapBytes); err != nil {
		return report.Section{}, err
	}
	client, err := b.Client()
	if err != nil {
		return report.Section{}, err
	}
	defer client.Close()
	data := float64(heapKeys * (len(rig.Key(0)) + heapBytes))
	store, err := b.heapOf(func() (func(), error) {
		s, err := b.Store(ctx, client, "heap")
		return func() { s.Close() }, err
	})
	if err != nil {
		return report.Section{}, err
	}
	informer, err := b.heapOf(func() (func(), error) { return b.informer(ctx, client, "heap") })
	if err != nil {
		return report.Section{}, err
	}
	row := func(name string, bytes float64) []string {
		return []string{name, report.Bytes(bytes), report.Times(bytes / data)}
	}
	return report.Section{
		Title: "Memory",
		Text: `What each of several stores adds to the heap in use, all with one client and a map of
1000 keys with values of 1000 bytes; the data are keys and values. Go's allocator
rounds a value of 1000 bytes up to 1024.`,
		Targets: []report.Target{{
			What: "heap of a store, 1 MB map", Against: "the data, " + report.Bytes(data),
			Measured: report.Bytes(store), Ratio: report.Times(store / data),
			Goal: "<= 1.25x", Met: store/data <= 1.25,
		}},
		Tables: []report.Table{{
			Header: []string{"", "heap", "to the data"},
			Rows:   [][]string{row("mapstore", store), row("client-go informer", informer)},
		}},
	}, nil
}

// heapOf returns what each of a few things adds to the heap that open makes.
func (b *bench) heapOf(open func() (stop func(), err error)) (float64, error) {
	// The first one may fill caches that all share.
	stop, err := open()
	if err != nil {
		return 0, err
	}
	defer stop()
	before := live()
	const n = 8
	for range n {
		stop, err := open()
		if err != nil {
			return 0, err
		}
		defer stop()
	}
	return (live() - before) / n, nil
}

// informer starts a client-go informer for one map.
func (b *bench) informer(ctx context.Context, client *rig.Client, name string) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(b.Namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		}))
	factory.Core().V1().ConfigMaps().Informer()
	factory.StartWithContext(ctx)
	stop = func() {
		cancel()
		factory.Shutdown()
	}
	if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}
