package scale

import (
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
)

// A Result is what one run has measured.
type Result struct {
	Machine []string // what it ran on, a line each
	Quick   bool     // too short a run to mean much
	Rows    []Row
	Alone   []Alone
	Idle    Idle
	Returns []Return
	Writers *load.Result // many writers of one store
}

// A Row is one number of watchers of one map.
type Row struct {
	Series
	Watchers    int
	Connections int64
	Live        float64 // bytes of heap and stacks of the API server, nobody writing
	Resident    float64 // bytes of its memory, after the changes
	Changes     int
	CPU         float64         // of the API server, seconds a change
	Down        float64         // bytes from the API server, a change and watcher
	Last        []time.Duration // from sending a change until the last watcher had it
}

// Alone is what changes cost that nobody watches but the store that writes.
type Alone struct {
	Series
	Changes int
	CPU     float64         // of the API server, seconds a change
	Live    float64         // bytes that it keeps of a change, in heap
	EtcdCPU float64         // seconds a change
	DB      float64         // bytes that etcd's database grows by a change
	Raft    float64         // bytes of etcd's heap that it grows by a change
	Fsync   time.Duration   // mean of etcd's log
	Took    []time.Duration // the writes
}

// Idle is what watchers cost while nobody writes.
type Idle struct {
	Watchers  int
	Hold      time.Duration
	Bookmarks int
	Down, Up  int64   // bytes
	Share     float64 // of a core, that the API server took
	Before    float64 // likewise, without any watcher
}

// Return is what watchers cost that come back after their watch has timed out.
type Return struct {
	Series
	Watchers int
	Down, Up float64 // bytes, each
	CPU      float64 // of the API server, seconds each
}
