package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// networkRows are about what lies between a store and the API server.
func networkRows() []row {
	const staleAfter = 4 * time.Second
	hole := troubled(trouble{hole: true})
	hold := [2]time.Duration{5 * time.Second, 2 * time.Second}
	broken := proof{"connections broken", ofAffected(func(m *member) int64 { return m.wire.broken.Load() }), 5}
	return []row{
		{
			name: "connections refused", way: wired, hold: hold, cuts: true, notice: killNoticedWithin,
			fault: func(_ context.Context, b *testbed) (func(context.Context) error, error) {
				for _, m := range b.affected() {
					m.wire.refuse()
				}
				return func(ctx context.Context) error {
					for _, m := range b.affected() {
						if err := m.wire.restore(ctx); err != nil {
							return err
						}
					}
					return nil
				}, nil
			},
		},
		{
			name: "connections reset mid-flight", way: wired, hold: hold, flows: true, proof: broken,
			fault: again(250*time.Millisecond, func(_ context.Context, b *testbed, _ int) error {
				for _, m := range b.affected() {
					m.wire.cut(true)
				}
				return nil
			}),
		},
		{
			// Everyone, as a store that is near starves those that are far: a write takes
			// effect only if nobody else's does while it is on its way.
			name: "delayed by 100 ± 50 ms", way: wired, everyone: true, hold: hold, flows: true,
			fault: troubled(trouble{latency: 100 * time.Millisecond, jitter: 50 * time.Millisecond}),
			during: func(ctx context.Context, b *testbed) error {
				for _, m := range b.affected() {
					begin := time.Now()
					if err := m.client.Sync(ctx); err != nil {
						return err
					}
					if took := time.Since(begin); took < 50*time.Millisecond {
						return fmt.Errorf("a Sync takes only %v: there is no delay", took)
					}
				}
				return nil
			},
		},
		{
			name: "sliced into segments of 7 bytes", way: wired, hold: hold, flows: true, fault: troubled(trouble{slice: 7}),
			proof: proof{"segments", ofAffected(func(m *member) int64 { return m.wire.pieces.Load() }), 1000},
		},
		{
			name: "truncated after 50 to 150 kB", way: wired, hold: hold, flows: true, proof: broken,
			fault: func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
				lift, err := troubled(trouble{limit: 100_000})(ctx, b)
				for _, m := range b.affected() {
					m.wire.cut(false) // the limit is for new ones
				}
				return lift, err
			},
		},
		{
			name: "black hole, StaleAfter 4 s", way: wired, stores: mapstore.Options{StaleAfter: staleAfter},
			fault: hole, hold: [2]time.Duration{8 * time.Second, 5 * time.Second},
			cuts: true, notice: staleAfter + time.Second,
		},
		{name: "black hole, default options", longOnly: true, way: wired, fault: hole, cuts: true, notice: 5 * time.Second},
		{
			// There only HTTP/2 finds out: 30 s idle, and 15 s for a ping.
			name: "black hole, default options, nobody writes behind it", longOnly: true, way: wired, quiet: true,
			fault: hole, cuts: true, notice: time.Minute,
		},
		{
			name: "half-open: watches bring nothing, all else works; StaleAfter 4 s", way: fronted,
			stores: mapstore.Options{StaleAfter: staleAfter}, hold: hold,
			// A store that writes would learn of others' versions by its conflicts. One
			// that does not has its own deadline, StaleAfter/2.
			quiet:  true,
			inside: true, fresh: staleAfter/2 + time.Second,
			fault: func(_ context.Context, b *testbed) (func(context.Context) error, error) {
				for _, m := range b.affected() {
					m.front.muteWatches(true)
				}
				return func(context.Context) error {
					for _, m := range b.affected() {
						m.front.muteWatches(false)
					}
					return nil
				}, nil
			},
			// Those that were open, and at least one that was opened in their place.
			proof: proof{"watches muted", ofAffected(func(m *member) int64 { return m.front.muted.Load() }), 3},
		},
	}
}

// troubled makes trouble on the wires of the affected stores.
func troubled(t trouble) fault {
	set := func(b *testbed, t trouble) {
		for _, m := range b.affected() {
			m.wire.set(t)
		}
	}
	return func(_ context.Context, b *testbed) (func(context.Context) error, error) {
		set(b, t)
		return func(context.Context) error {
			set(b, trouble{})
			return nil
		}, nil
	}
}
