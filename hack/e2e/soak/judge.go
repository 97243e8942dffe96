package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// A sample is what this process holds while its load rests.
type sample struct {
	at         time.Duration // since the start
	operations int64         // so far
	heap       int64         // bytes that are reachable
	goroutines int64
	files      int64 // open descriptors, those of connections included; 0 where there is no /proc
}

// take measures. Two collections, as the first one only makes reachable by
// finalizers what the second one frees.
func take(since time.Time, operations int64) sample {
	runtime.GC()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	open, _ := os.ReadDir("/proc/self/fd")
	return sample{
		at:         time.Since(since),
		operations: operations,
		heap:       int64(memory.HeapAlloc), //nolint:gosec // below 2^63
		goroutines: int64(runtime.NumGoroutine()),
		files:      int64(len(open)),
	}
}

const lineFormat = "%8v %12v %10v %10v %6v"

func (s sample) String() string {
	return fmt.Sprintf(lineFormat, s.at.Round(100*time.Millisecond), s.operations, s.heap>>10, s.goroutines, s.files)
}

// A figure is one thing that must not grow.
type figure struct {
	name      string
	of        func(sample) int64
	tolerance int64 // how much more it may be at the end; see also noise
}

// figures and what they may grow by. The load rests while a sample is taken, so
// that what an operation uses has to be gone, and only what has not settled yet
// is left: a connection that is made anew after an outage, or memory that pools
// and tables take when they first need it. A leak of one item an operation
// exceeds any of these within seconds to minutes.
var figures = []figure{
	{"bytes of memory", func(s sample) int64 { return s.heap }, 512 << 10},
	{"goroutines", func(s sample) int64 { return s.goroutines }, 10},
	{"open files", func(s sample) int64 { return s.files }, 5},
}

// minSamples is how many a verdict takes: four in each third.
const minSamples = 12

// judge returns an error that names each figure that grows. It takes the samples
// since the warm-up, in which caches and pools fill, and compares the median of
// their first third with that of the last: single outliers, such as a sample
// right after an outage, do not matter then. Something grows if the difference
// is more than its tolerance, and more than twice its noise.
func judge(settled []sample) error {
	if len(settled) < minSamples {
		return fmt.Errorf("%d samples after the warm-up, too few for a verdict: at least %d", len(settled), minSamples)
	}
	third := len(settled) / 3
	first, last := settled[:third], settled[len(settled)-third:]
	operations := stats.Median(values(last, func(s sample) int64 { return s.operations })) - stats.Median(values(first, func(s sample) int64 { return s.operations }))
	if operations <= 0 {
		return errors.New("the load has stopped: no operations between the first and the last third")
	}
	var grown []error
	for _, f := range figures {
		before, after := stats.Median(values(first, f.of)), stats.Median(values(last, f.of))
		if growth := after - before; growth > max(f.tolerance, 2*noise(settled, f.of)) {
			grown = append(grown, fmt.Errorf("%s grow: from %d to %d (medians of the first and last third after the warm-up) over %d operations, %.2f each",
				f.name, before, after, operations, float64(growth)/float64(operations)))
		}
	}
	return errors.Join(grown...)
}

// noise is the median distance of a figure from the straight line through the
// medians of the first and last third: around a level, growth itself would count
// as noise.
func noise(settled []sample, of func(sample) int64) int64 {
	third := len(settled) / 3
	before, after := stats.Median(values(settled[:third], of)), stats.Median(values(settled[len(settled)-third:], of))
	from, span := (third-1)/2, len(settled)-third
	distances := make([]int64, len(settled))
	for i, s := range settled {
		line := before + (after-before)*int64(i-from)/int64(span)
		distances[i] = max(of(s)-line, line-of(s))
	}
	return stats.Median(distances)
}

func values(samples []sample, of func(sample) int64) []int64 {
	all := make([]int64, len(samples))
	for i, s := range samples {
		all[i] = of(s)
	}
	return all
}
