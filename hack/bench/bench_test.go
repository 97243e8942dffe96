package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

var shared *bench

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	r, err := rig.Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = &bench{Rig: r, quick: true, out: io.Discard, began: time.Now()}
	code := m.Run()
	if err := r.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 { // a test that failed may have had no chance to clean up
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func BenchmarkRead(b *testing.B) {
	readers, closeAll, err := shared.readers(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer closeAll()
	for _, r := range readers {
		b.Run("by="+r.name, func(b *testing.B) {
			b.Run("cores=1", r.serial)
			b.Run("cores=all", r.parallel)
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	p, err := newPrepared(heapKeys, heapBytes)
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range takers {
		b.Run("by="+t.name, t.benchmark(p))
	}
}

func BenchmarkWrite(b *testing.B) {
	d, err := shared.duel(b.Context(), readKeys, valueSize)
	if err != nil {
		b.Fatal(err)
	}
	defer d.close()
	for _, rival := range []struct {
		name string
		set  func(ctx context.Context, key, value string) error
	}{{ours, d.store.Set}, {"bare PUT", d.putter.Set}} {
		b.Run("by="+rival.name, func(b *testing.B) {
			b.ReportAllocs()
			before := d.storeClient.Counts().Plus(d.putClient.Counts())
			for b.Loop() {
				d.writes++
				if err := rival.set(b.Context(), rig.Key(0), rig.Value(d.writes, valueSize)); err != nil {
					b.Fatal(err)
				}
			}
			requests := d.storeClient.Counts().Plus(d.putClient.Counts()).Since(before).Total()
			b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
		})
	}
}
