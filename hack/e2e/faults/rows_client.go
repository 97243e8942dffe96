package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// clientRows are about the programs that use the store.
func clientRows() []row {
	hold := [2]time.Duration{4 * time.Second, 2 * time.Second}
	return []row{
		{name: "subscribers block, panic, subscribe, write, stop and close", hold: hold, flows: true, fault: misbehave},
		{name: "hundreds of subscriptions come and go", hold: hold, flows: true, fault: comeAndGo},
	}
}

// misbehave subscribes what nobody should.
func misbehave(ctx context.Context, b *testbed) (func(context.Context) error, error) {
	released := make(chan struct{})
	var subscriptions []*watch.Subscription
	kinds := []string{"block", "panic", "subscribe", "write", "stop", "close"}
	calls := make(map[string]*atomic.Int64, len(kinds))
	for _, kind := range kinds {
		calls[kind] = new(atomic.Int64)
	}
	subscribe := func(store *mapstore.Store, fn func(mapstore.Change)) *watch.Subscription {
		s := store.OnChange(fn)
		subscriptions = append(subscriptions, s)
		return s
	}
	closing := make([]chan struct{}, 0, len(b.members))
	for _, m := range b.members {
		subscribe(m.store, func(mapstore.Change) {
			calls["block"].Add(1)
			<-released
		})
		subscribe(m.store, func(mapstore.Change) {
			calls["panic"].Add(1)
			panic("on purpose")
		})
		subscribe(m.store, func(mapstore.Change) {
			m.store.OnChange(func(mapstore.Change) {}).Stop()
			nested := m.store.OnChange(func(mapstore.Change) { calls["subscribe"].Add(1) })
			time.AfterFunc(50*time.Millisecond, nested.Stop) // how long it lives
		})
		subscribe(m.store, func(mapstore.Change) {
			if calls["write"].Add(1) < 100 { // each write leads to the next call
				m.count(m.client.Increment(ctx, "counter-0"))
			}
		})
		stopping := make(chan *watch.Subscription, 1)
		stopping <- subscribe(m.store, func(mapstore.Change) {
			calls["stop"].Add(1)
			(<-stopping).Stop()
		})
		store, err := mapstore.New(m.http, b.namespace, mapName, mapstore.Options{})
		if err != nil {
			return nil, err
		}
		b.runStore(store)
		closed := make(chan struct{})
		closing = append(closing, closed)
		once := sync.OnceFunc(func() { close(closed) })
		store.OnChange(func(change mapstore.Change) {
			if change.New.Exists() {
				calls["close"].Add(1)
				store.Close()
				once()
			}
		})
	}
	return func(ctx context.Context) error {
		defer func() {
			close(released)
			for _, s := range subscriptions {
				s.Stop()
			}
		}()
		for _, closed := range closing {
			select {
			case <-closed:
			case <-time.After(patience):
				return fmt.Errorf("Close from inside a callback does not return")
			}
		}
		for kind, atLeast := range map[string]int64{"block": 3, "panic": 30, "subscribe": 30, "write": 30, "stop": 3, "close": 3} {
			if err := until(ctx, patience, func() bool { return calls[kind].Load() >= atLeast }); err != nil {
				return fmt.Errorf("callbacks that %s were called only %d times: %w", kind, calls[kind].Load(), err)
			}
		}
		b.note(fmt.Sprintf("%d panics, %d writes", calls["panic"].Load(), calls["write"].Load()))
		if n := calls["block"].Load(); n != int64(len(b.members)) {
			return fmt.Errorf("callbacks that block were called %d times: more than one at a time", n)
		}
		return nil
	}, nil
}

// comeAndGo keeps hundreds of subscriptions, and replaces one after the other.
func comeAndGo(ctx context.Context, b *testbed) (func(context.Context) error, error) {
	const alive, workers = 300, 4
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	var made, called, late atomic.Int64
	for range workers {
		rng := b.newRand()
		tasks.Go(func() {
			var stops [alive / workers]func()
			for i := 0; ctx.Err() == nil; i = (i + 1) % len(stops) {
				if stops[i] != nil {
					stops[i]()
				}
				var stopped atomic.Bool
				s := b.members[rng.IntN(len(b.members))].store.OnChange(func(mapstore.Change) {
					called.Add(1)
					if stopped.Load() {
						late.Add(1)
					}
				}, []mapstore.Filter{mapstore.Prefix("counter-"), mapstore.Keys("slot-0")}[:rng.IntN(3)]...)
				made.Add(1)
				stops[i] = func() {
					s.Stop()
					stopped.Store(true)
				}
				_ = pause(ctx, time.Duration(rng.IntN(4000))*time.Microsecond) // the loop looks at ctx
			}
			for _, stop := range stops {
				if stop != nil {
					stop()
				}
			}
		})
	}
	return func(ctx context.Context) error {
		err := until(ctx, patience, func() bool { return made.Load() >= 2*alive && called.Load() > made.Load() })
		cancel()
		tasks.Wait()
		figures := fmt.Sprintf("%d subscriptions, %d calls", made.Load(), called.Load())
		b.note(figures)
		if err != nil {
			return fmt.Errorf("only %s: %w", figures, err)
		}
		if n := late.Load(); n > 0 {
			return fmt.Errorf("%d callbacks ran after Stop had returned", n)
		}
		return nil
	}, nil
}
