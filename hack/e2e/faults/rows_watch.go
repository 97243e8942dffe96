package main

import (
	"context"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// watchRows are about servers that have forgotten, or do not know yet, what a
// store has seen, and that send their clients away.
func watchRows() []row {
	return []row{
		{
			name: "410 Gone: compacted before the watch was opened", way: fronted, hold: [2]time.Duration{2 * time.Second, time.Second},
			// Without its watch cache the API server asks etcd, which has forgotten.
			plane: own, options: kube.Options{APIServerArgs: []string{"--watch-cache=false"}},
			fault: compacted,
		},
		{
			name: "GOAWAY to 2% of the requests", hold: [2]time.Duration{6 * time.Second, 3 * time.Second}, flows: true,
			plane: own, options: kube.Options{APIServerArgs: []string{"--goaway-chance=0.02"}},
			fault: func(context.Context, *testbed) (func(context.Context) error, error) {
				return func(context.Context) error { return nil }, nil
			},
			proof: proof{"connections opened anew", ofAffected(func(m *member) int64 { return m.http.dialed.Load() }), 6},
		},
		{
			name: "switched to and fro between API servers, one lags 500 ms", way: fronted, plane: own, flows: true,
			hold: [2]time.Duration{8 * time.Second, 4 * time.Second}, fault: toAndFro(500 * time.Millisecond),
		},
		{name: "etcd restored from an older backup", plane: own, special: restored},
	}
}
