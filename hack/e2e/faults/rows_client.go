package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// clientRows are about the programs that use the store.
func clientRows() []row {
	return []row{{
		name: "subscribers block, panic and write",
		hold: [2]time.Duration{4 * time.Second, time.Second}, flows: true, fault: misbehave,
	}}
}

// misbehave subscribes what nobody should.
func misbehave(_ context.Context, b *testbed) (func(context.Context) error, error) {
	var subscriptions []*watch.Subscription
	var panics, writes atomic.Int64
	released := make(chan struct{})
	for _, m := range b.members {
		subscriptions = append(subscriptions,
			m.store.OnChange(func(mapstore.Change) { <-released }),
			m.store.OnChange(func(mapstore.Change) {
				panics.Add(1)
				panic("on purpose")
			}),
			m.store.OnChange(func(mapstore.Change) {
				if writes.Add(1) < 300 { // each write leads to the next call
					m.Count(m.client.Update(context.Background(), rig.Increment("counter-0")))
				}
			}))
	}
	return func(ctx context.Context) error {
		err := rig.Until(ctx, rig.Patience, func() bool { return panics.Load() >= 30 && writes.Load() >= 30 })
		close(released)
		for _, s := range subscriptions {
			s.Stop()
		}
		b.note(fmt.Sprintf("%d panics, %d writes", panics.Load(), writes.Load()))
		if err != nil {
			return fmt.Errorf("callbacks were called too rarely: %d panics, %d writes: %w", panics.Load(), writes.Load(), err)
		}
		return nil
	}, nil
}
