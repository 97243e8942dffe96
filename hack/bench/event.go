package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/client-go/kubernetes/scheme"
	restwatch "k8s.io/client-go/rest/watch"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A taker is one way to take events.
type taker struct {
	name string
	// open returns what takes n events, and what ends it.
	open func(p *prepared) (take func(n int) error, end func(), err error)
}

const justDecode = "decoding alone"

var takers = []taker{
	{justDecode, decoding},
	{"client-go watch", watching},
	{ours, storing},
}

// decoding reads frames and decodes them, in one goroutine.
func decoding(p *prepared) (func(int) error, func(), error) {
	info, _ := apiruntime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), apiruntime.ContentTypeProtobuf)
	decoder := restwatch.NewDecoder(
		streaming.NewDecoder(info.StreamSerializer.NewFrameReader(p.body()), info.StreamSerializer.Serializer),
		scheme.Codecs.UniversalDeserializer())
	return func(n int) error {
		go p.serve(n)
		for range n {
			_, object, err := decoder.Decode()
			if err != nil {
				return err
			}
			if cm, ok := object.(*corev1.ConfigMap); !ok || len(cm.Data) != p.keys {
				return fmt.Errorf("decoded a %T that is not the map", object)
			}
		}
		return nil
	}, decoder.Close, nil
}

// watching takes events from client-go's watch.
func watching(p *prepared) (func(int) error, func(), error) {
	client, err := p.client()
	if err != nil {
		return nil, nil, err
	}
	w, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Watch(context.Background(), metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	var newest atomic.Pointer[string]
	newest.Store(new(string))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range w.ResultChan() {
			if object, ok := event.Object.(*corev1.ConfigMap); ok {
				newest.Store(&object.ResourceVersion)
			}
		}
	}()
	return p.until(func() string { return *newest.Load() }), func() {
		w.Stop()
		<-ended
	}, nil
}

// storing takes events as a store without subscribers does.
func storing(p *prepared) (func(int) error, func(), error) {
	client, err := p.client()
	if err != nil {
		return nil, nil, err
	}
	store, err := mapstore.New(client, metav1.NamespaceDefault, preparedName, mapstore.Options{})
	if err != nil {
		return nil, nil, err
	}
	go store.Start(context.Background()) //nolint:errcheck // it cannot fail
	if err := store.WaitForSync(context.Background()); err != nil {
		return nil, nil, err
	}
	return p.until(func() string { return store.Snapshot().Revision() }), func() { store.Close() }, nil
}

// until returns a function that serves events, and waits until the last has
// been taken: newest says up to which revision they were.
func (p *prepared) until(newest func() string) func(int) error {
	return func(n int) error {
		p.serve(n)
		want := strconv.FormatInt(p.last.Load(), 10)
		for deadline := time.Now().Add(20 * time.Second); newest() != want; runtime.Gosched() {
			if time.Now().After(deadline) {
				return fmt.Errorf("the last event taken is %s, not %s", newest(), want)
			}
		}
		return nil
	}
}

const cpuPerEvent = "cpu-ns/event"

// benchmark takes b.N events. It does so on one core: on two, one goroutine
// would decode while another does what is to be measured, and hide it.
func (t taker) benchmark(p *prepared) func(*testing.B) {
	return func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		take, end, err := t.open(p)
		if err != nil {
			b.Fatal(err)
		}
		defer end()
		b.ReportAllocs()
		b.SetBytes(int64(len(p.frame)))
		runtime.GC()
		b.ResetTimer()
		before := cpuTime()
		if err := take(b.N); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), cpuPerEvent)
		b.StopTimer()
	}
}

// take has all takers take events in turns, so many times. It returns how much of
// the processor's time an event took each time, in nanoseconds, and the last
// results, by the takers' names.
func (b *bench) take(ctx context.Context, p *prepared, rounds int) (map[string][]float64, map[string]testing.BenchmarkResult, error) {
	took, last := make(map[string][]float64), make(map[string]testing.BenchmarkResult)
	for range rounds {
		for _, t := range takers {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			result := benchmark(pick(b, 250*time.Millisecond, 10*time.Millisecond), t.benchmark(p))
			if result.N == 0 {
				return nil, nil, fmt.Errorf("%s failed", t.name)
			}
			took[t.name] = append(took[t.name], result.Extra[cpuPerEvent])
			last[t.name] = result
		}
	}
	return took, last, nil
}

// event measures what a store adds to the decoding of an event.
func (b *bench) event(ctx context.Context) (report.Section, error) {
	p, err := newPrepared(heapKeys, heapBytes)
	if err != nil {
		return report.Section{}, err
	}
	took, last, err := b.take(ctx, p, pick(b, 45, 2))
	if err != nil {
		return report.Section{}, err
	}
	t := report.Table{Header: []string{"", "an event", "to " + justDecode, "allocated bytes", "allocations"}}
	for _, taker := range takers {
		t.Rows = append(t.Rows, []string{
			taker.name, report.Nanoseconds(stats.Median(took[taker.name])),
			fmt.Sprintf("%.3fx", stats.Ratio(took[taker.name], took[justDecode])),
			report.Count(last[taker.name].AllocedBytesPerOp()), report.Count(last[taker.name].AllocsPerOp()),
		})
	}
	ratio := stats.Ratio(took[ours], took[justDecode])
	return report.Section{
		Title: "An event",
		Text: `The same event of a map of 1000 keys with values of 1000 bytes, from memory and in
protobuf, over and over, on one core. Decoding alone is what client-go does with the
bytes, in one goroutine; its watch and a store hand them from one goroutine to the next.
The times are those of the processor, with the garbage collector's.`,
		Targets: []report.Target{{
			What: "an event, 1 MB map of 1000 keys, no subscriber", Against: "decoding it, " + report.Nanoseconds(stats.Median(took[justDecode])),
			Measured: report.Nanoseconds(stats.Median(took[ours])),
			Ratio:    fmt.Sprintf("%.3fx", ratio), Goal: "<= 1.05x", Met: ratio <= 1.05,
		}},
		Tables: []report.Table{t},
	}, nil
}
