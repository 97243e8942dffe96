package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A sample is what this process holds while its load rests.
type sample struct {
	at         time.Duration // since the start
	operations int64         // so far
	heap       int64         // bytes that are reachable
	goroutines int64
	files      int64 // open descriptors, sockets included; unknown where there is no /proc
	sockets    int64
}

// unknown is what a figure says that this system does not tell.
const unknown = -1

// take measures. Two collections, as the first one only makes reachable by
// finalizers what the second one frees.
func take(since time.Time, operations int64) sample {
	runtime.GC()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, sockets := descriptors()
	return sample{
		at:         time.Since(since),
		operations: operations,
		heap:       int64(memory.HeapAlloc), //nolint:gosec // below 2^63
		goroutines: int64(runtime.NumGoroutine()),
		files:      files,
		sockets:    sockets,
	}
}

// descriptors counts what this process has open.
func descriptors() (files, sockets int64) {
	const dir = "/proc/self/fd/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unknown, unknown
	}
	for _, entry := range entries {
		target, err := os.Readlink(dir + entry.Name())
		if err != nil { // it was the one that ReadDir itself had open
			continue
		}
		files++
		if strings.HasPrefix(target, "socket:") {
			sockets++
		}
	}
	return files, sockets
}

func header() string {
	return fmt.Sprintf("%8s %12s %10s %10s %6s %7s", "time", "operations", "heap KiB", "goroutines", "files", "sockets")
}

func (s sample) String() string {
	count := func(n int64) string {
		if n == unknown {
			return "-"
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%8s %12d %10d %10d %6s %7s", s.at.Round(100*time.Millisecond), s.operations, s.heap>>10, s.goroutines, count(s.files), count(s.sockets))
}
