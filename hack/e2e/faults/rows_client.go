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
		name: "subscribers block, panic, subscribe, write, stop and close",
		hold: [2]time.Duration{4 * time.Second, time.Second}, flows: true, fault: misbehave,
	}}
}

// misbehave subscribes what nobody should.
func misbehave(_ context.Context, b *testbed) (func(context.Context) error, error) {
	var subscriptions []*watch.Subscription
	calls := make(map[string]*atomic.Int64)
	subscribe := func(kind string, store *mapstore.Store, fn func(*watch.Subscription, mapstore.Change)) {
		if calls[kind] == nil {
			calls[kind] = new(atomic.Int64)
		}
		itself, n := make(chan *watch.Subscription, 1), calls[kind]
		s := store.OnChange(func(change mapstore.Change) {
			n.Add(1)
			own := <-itself
			itself <- own
			fn(own, change)
		})
		itself <- s
		subscriptions = append(subscriptions, s)
	}
	released := make(chan struct{})
	for _, m := range b.members {
		subscribe("block", m.store, func(*watch.Subscription, mapstore.Change) { <-released })
		subscribe("panic", m.store, func(*watch.Subscription, mapstore.Change) { panic("on purpose") })
		subscribe("stop themselves", m.store, func(own *watch.Subscription, _ mapstore.Change) { own.Stop() })
		subscribe("subscribe", m.store, func(*watch.Subscription, mapstore.Change) {
			m.store.OnChange(func(mapstore.Change) {}).Stop()
		})
		writes := 0
		subscribe("write", m.store, func(*watch.Subscription, mapstore.Change) {
			if writes++; writes < 100 { // each write leads to the next call
				m.Count(m.client.Update(context.Background(), rig.Increment("counter-0")))
			}
		})
		store, err := mapstore.New(m.http, b.namespace, mapName, mapstore.Options{})
		if err != nil {
			return nil, err
		}
		b.runStore(store)
		subscribe("close their store", store, func(*watch.Subscription, mapstore.Change) { store.Close() })
	}
	return func(ctx context.Context) error {
		defer func() {
			close(released)
			for _, s := range subscriptions {
				s.Stop()
			}
		}()
		once := int64(len(b.members))
		for kind, atLeast := range map[string]int64{"panic": 30, "subscribe": 30, "write": 30, "block": once, "stop themselves": once, "close their store": once} {
			if err := rig.Until(ctx, rig.Patience, func() bool { return calls[kind].Load() >= atLeast }); err != nil {
				return fmt.Errorf("callbacks that %s were called only %d times: %w", kind, calls[kind].Load(), err)
			}
		}
		for _, kind := range []string{"block", "stop themselves", "close their store"} {
			if n := calls[kind].Load(); n != once {
				return fmt.Errorf("callbacks that %s were called %d times, want %d", kind, n, once)
			}
		}
		b.note(fmt.Sprintf("%d panics, %d writes", calls["panic"].Load(), calls["write"].Load()))
		return nil
	}, nil
}
