package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// outage: reads go on, Status says why they may be stale, and writes wait.
func (s *story) outage(ctx context.Context) error {
	if s.cluster.plane == nil {
		s.console.say("Left out: this cluster is not the demo's to kill.")
		return nil
	}
	s.console.say("From now on somebody reads from B without a break.")
	reader := startReader(s.b, "alice")
	defer reader.stop()
	s.console.act("$", "kill -KILL kube-apiserver")
	if err := s.cluster.plane.APIServer.Kill(); err != nil {
		return err
	}
	reason, err := untilStale(ctx, s.a, s.b)
	if err != nil {
		return err
	}
	s.console.say("B's Status says why its copy may be stale:")
	s.console.quote("%s", reason)
	s.pause(ctx, 3)

	s.console.act("A", "add one to the counter")
	s.console.say("The write waits for the server. The reads do not: %s so far.", thousands(reader.reads.Load()))
	var ready, current, seen time.Time
	write := func(ctx context.Context) error { return s.increment(ctx, s.a) }
	restart := func(ctx context.Context) error {
		s.pause(ctx, 3)
		s.console.act("$", "kube-apiserver ...")
		if err := s.cluster.plane.APIServer.Restart(ctx); err != nil {
			return err
		}
		ready = time.Now()
		return together(ctx, func(ctx context.Context) error {
			err := untilCurrent(ctx, s.a, s.b)
			current = time.Now()
			return err
		}, func(ctx context.Context) error {
			err := s.patch(ctx, `{"data":{"log-level":"info"}}`)
			seen = time.Now()
			return err
		})
	}
	if err := together(ctx, write, restart); err != nil {
		return err
	}
	reader.stop()
	reads, failures := reader.reads.Load(), reader.failures.Load()
	if err := s.shown(ctx); err != nil {
		return err
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d reads failed", failures, reads)
	}
	s.console.ok("A's write was applied, and none of %s reads failed.", thousands(reads))
	s.console.ok("%s after the server was ready, A and B had a new edit from outside.", short(seen.Sub(ready)))

	s.outageResults = []result{
		{"reads in the outage", thousands(reads), fmt.Sprintf("%d failed", failures)},
		{"recovered, by Status", short(current.Sub(ready)), "after the server was ready"},
		{"recovered, by data", short(seen.Sub(ready)), "until a new edit from outside was seen"},
	}
	return nil
}

// A reader reads a key without a break, though it leaves some of the processor to
// others, and counts.
type reader struct {
	reads    atomic.Int64
	failures atomic.Int64 // reads that did not find what the first one found
	stopping atomic.Bool
	done     chan struct{}
}

func startReader(store *mapstore.Store, key string) *reader {
	r := &reader{done: make(chan struct{})}
	want, _ := store.Get(key)
	go func() {
		defer close(r.done)
		for !r.stopping.Load() {
			const burst = 10_000
			for range burst {
				if value, ok := store.Get(key); !ok || value != want {
					r.failures.Add(1)
				}
			}
			r.reads.Add(burst)
			time.Sleep(time.Millisecond)
		}
	}()
	return r
}

// stop may be called more than once.
func (r *reader) stop() {
	r.stopping.Store(true)
	<-r.done
}

// untilStale waits until no store's copy is current, and returns why the last is not.
func untilStale(ctx context.Context, stores ...*mapstore.Store) (reason string, err error) {
	err = untilStatus(ctx, stores, func(err error) bool {
		if err != nil {
			reason = err.Error()
		}
		return err != nil
	})
	return reason, err
}

// untilCurrent waits until every store's copy is current.
func untilCurrent(ctx context.Context, stores ...*mapstore.Store) error {
	return untilStatus(ctx, stores, func(err error) bool { return err == nil })
}

func untilStatus(ctx context.Context, stores []*mapstore.Store, good func(error) bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, store := range stores {
		for !good(store.Status().Err) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}
