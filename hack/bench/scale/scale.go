// Package scale measures what one map costs a cluster as it grows: the API server,
// by the number of watchers and the size of the map. It writes the figures as docs/scale.md.
//
// A watcher is a bare request for a watch of the one map, whose answer is read and
// thrown away, so that what is measured is the server and not a thousand clients on the
// same machine. The map is written by a store, as users' maps are, and so has their
// ledger and their managed fields.
package scale

import (
	"fmt"
	"time"
)

// A Result is what one run has measured.
type Result struct {
	Machine []string // what it ran on, a line each
	Maps    []Map    // by size
	Crowds  []Crowd  // of many maps, by their number
	Foreign float64  // seconds of the API server's CPU for each watch by label and change that it does not select
}

// A Map is what was measured of one map under more and more watchers, each with a
// connection of its own, as processes are.
type Map struct {
	Keys, ValueBytes int
	Rows             []Row
}

// A Row is one number of watchers of one map.
type Row struct {
	Watchers int             // beside the store that writes
	Live     float64         // bytes of heap and stacks of the API server, nobody writing
	CPU      float64         // of the API server, seconds a change
	Sent     float64         // bytes a change and watcher
	Took     []time.Duration // from sending each change until it was acknowledged and the last watcher had it
}

// Bytes is the size of the map's values.
func (m Map) Bytes() int { return m.Keys * m.ValueBytes }

// String says what is measured.
func (m Map) String() string { return fmt.Sprintf("%d keys x %d B", m.Keys, m.ValueBytes) }

// maps are those of a plan: each has a row for each number of watchers, empty as yet.
func maps(watchers ...int) []Map {
	all := []Map{
		{Keys: 10, ValueBytes: 100},
		{Keys: 32, ValueBytes: 1000},
		{Keys: 1000, ValueBytes: 1000},
	}
	for i := range all {
		for _, number := range watchers {
			all[i].Rows = append(all[i].Rows, Row{Watchers: number})
		}
	}
	return all
}

// changes is how often to change a map: at most so often, less where each change is much
// work, and twice at least.
func (m Map) changes(watchers, most int) int {
	watchers = max(watchers, 1)
	return max(min(500_000_000/(m.Bytes()*watchers), 40_000_000/m.Bytes(), 50_000/watchers, most), 2)
}
