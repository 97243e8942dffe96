package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/wire"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// networkRows are about what lies between a store and the API server.
func networkRows() []row {
	const staleAfter = 4 * time.Second
	hole := troubled(wire.Trouble{Hole: true})
	hold := [2]time.Duration{5 * time.Second, time.Second}
	return []row{
		{
			name: "connections refused", wired: true, spared: true, hold: hold, cuts: true, notice: killNoticedWithin,
			fault:  lasting(each(func(m *member) { m.wire.Refuse() }), restore),
			during: expectCause(syscall.ECONNREFUSED),
		},
		{
			name: "connections reset mid-flight", wired: true, spared: true, hold: hold, flows: true,
			proof: proof{"connections broken", ofAffected(func(m *member) int64 { return m.wire.Broken.Load() }), 5},
			fault: again(250*time.Millisecond, func(ctx context.Context, b *testbed, _ int) error {
				return each(func(m *member) { m.wire.Cut(true) })(ctx, b)
			}),
		},
		{
			// Everyone, as a store that is near starves those that are far: a write takes
			// effect only if nobody else's does while it is on its way.
			name: "delayed by 100 ± 50 ms", wired: true, hold: hold, flows: true,
			fault: troubled(wire.Trouble{Latency: 100 * time.Millisecond, Jitter: 50 * time.Millisecond}),
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
			name: "a slow link, of 250 kB/s", wired: true, hold: hold, flows: true,
			fault: troubled(wire.Trouble{Rate: 250_000}),
		},
		{
			name: "black hole, default options", wired: true, spared: true, hold: hold,
			fault: hole, cuts: true, notice: 5 * time.Second,
		},
		{
			// There only HTTP/2 finds out: 30 s idle, and 15 s for a ping.
			name: "black hole, default options, nobody writes behind it", longOnly: true, wired: true, spared: true, quiet: true,
			fault: hole, cuts: true, notice: time.Minute,
		},
		{
			// A store that writes would learn of others' versions by its conflicts. One
			// that does not has its own deadline, StaleAfter/2.
			name: "half-open: watches bring nothing, all else works; StaleAfter 4 s", spared: true, quiet: true,
			stores: mapstore.Options{StaleAfter: staleAfter}, hold: hold,
			inside: true, fresh: staleAfter/2 + time.Second,
			fault: lasting(each(func(m *member) { m.network.Hold(true) }), each(func(m *member) { m.network.Hold(false) })),
			proof: proof{"watches opened in place of others", ofAffected(func(m *member) int64 { return m.network.Watches.Load() }), 3},
		},
	}
}

// troubled makes trouble on the wires of the affected stores.
func troubled(t wire.Trouble) fault {
	return lasting(each(func(m *member) { m.wire.Set(t) }), each(func(m *member) { m.wire.Set(wire.Trouble{}) }))
}

// expectCause expects each affected store to say what is wrong.
func expectCause(cause error) func(context.Context, *testbed) error {
	return func(ctx context.Context, b *testbed) error {
		for _, m := range b.affected() {
			if err := rig.Until(ctx, rig.Patience, func() bool { return errors.Is(m.store.Status().Err, cause) }); err != nil {
				return fmt.Errorf("Status().Err of store %s is %w, which is not: %w", m.name, m.store.Status().Err, cause)
			}
		}
		return nil
	}
}

// restore lets the affected stores connect again.
func restore(ctx context.Context, b *testbed) error {
	for _, m := range b.affected() {
		if err := m.wire.Restore(ctx); err != nil {
			return err
		}
	}
	return nil
}
