package main

import (
	"sync/atomic"
	"time"
)

// watchRows are about servers that have forgotten, or do not know yet, what a
// store has seen, and that send their clients away.
func watchRows() []row {
	var behind atomic.Int64
	return []row{
		{
			name: "410 Gone: compacted before the watch was opened", plane: fickle, spared: true, hold: [2]time.Duration{2 * time.Second, 0},
			fault: compacted,
		},
		{
			name: "GOAWAY to 2% of the requests", plane: fickle, flows: true, hold: [2]time.Duration{6 * time.Second, 0},
			fault: lasting(nothing, nothing), // it is the server's way
			proof: proof{"connections opened anew", ofAffected(func(m *member) int64 { return m.http.Dialed.Load() }), 4},
		},
		{
			name: "switched to and fro between API servers, one lags 500 ms", spared: true, flows: true,
			hold: [2]time.Duration{8 * time.Second, 2 * time.Second}, fault: toAndFro(500*time.Millisecond, &behind),
			proof: proof{"times a store was ahead of the server that it came to", func(*testbed) int64 { return behind.Load() }, 2},
		},
		{name: "etcd restored from an older backup", plane: breakable, special: restored},
	}
}
