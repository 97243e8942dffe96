// Command quickstart shows mapstore at work on a Kubernetes API server, checks what it
// shows, and measures it, in about half a minute.
//
//	go run ./examples/quickstart                   on an API server in memory, another process
//	go run ./examples/quickstart -cluster=local    on a control plane of its own
//	go run ./examples/quickstart -cluster=current  on the cluster of the current kubeconfig
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func main() {
	cluster := flag.String("cluster", demo.Memory, demo.Usage)
	flag.Parse()
	demo.Main(*cluster, tell)
}

// A story is told with two stores, as two processes would have them.
type story struct {
	*demo.Demo
	a, b         *mapstore.Store
	inA, inB     *typed.Value[int] // a counter, in each of them
	acknowledged atomic.Int64      // increments of the counter
}

func tell(ctx context.Context, d *demo.Demo) (err error) {
	s := &story{Demo: d}
	d.Map = "mapstore-demo-" + strings.ToLower(rand.Text()[:6])
	if s.a, err = mapstore.Open(ctx, d.Map, mapstore.Options{}); err != nil {
		return err
	}
	defer s.a.Close()
	if s.b, err = mapstore.Open(ctx, d.Map, mapstore.Options{}); err != nil {
		return err
	}
	defer s.b.Close()
	s.inA = typed.Bind(s.a, "counter", typed.Int[int](), 0)
	s.inB = typed.Bind(s.b, "counter", typed.Int[int](), 0)
	s.b.OnChange(func(change mapstore.Change) {
		for key, delta := range change.Deltas() {
			s.Detail("B: %-8s %-9s %q -> %q", delta.Op, key, delta.Old, delta.New)
		}
	}, mapstore.Keys("log-level", "timeout"))

	s.Say("Two stores, A and B, share the ConfigMap %s.", d.Map)
	for _, step := range []func(context.Context) error{s.changes, s.transactions, s.typedValue, s.outage, s.measure} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) changes(ctx context.Context) error {
	s.Step(ctx, "1. A writes, and B is told what changed")
	for _, level := range []string{"info", "debug"} {
		s.Say("A: Set log-level %s", level)
		if err := s.a.Set(ctx, "log-level", level); err != nil {
			return err
		}
		s.Pause(ctx)
	}
	return nil
}

func (s *story) transactions(ctx context.Context) error {
	s.Step(ctx, "2. 100 concurrent transactions")
	s.Say("50 goroutines in A and 50 in B each add one to the same counter.")
	took, err := s.add(ctx, 50, 1, s.inA, s.inB)
	if err != nil {
		return err
	}
	now, err := s.a.Sync(ctx)
	if err != nil {
		return err
	}
	if counter, _ := now.Get("counter"); counter != "100" {
		return fmt.Errorf("the counter is %s", counter)
	}
	s.OK("The counter is exactly 100, after %s.", demo.Short(took))
	return nil
}

// add lets that many goroutines increment each counter, each so many times.
func (s *story) add(ctx context.Context, goroutines, times int, counters ...*typed.Value[int]) (time.Duration, error) {
	start := time.Now()
	var adding errgroup.Group
	for i := range goroutines * len(counters) {
		adding.Go(func() error {
			for range times {
				err := counters[i%len(counters)].Update(ctx, func(n int) (int, error) { return n + 1, nil })
				if err != nil {
					return err
				}
				s.acknowledged.Add(1)
			}
			return nil
		})
	}
	err := adding.Wait()
	return time.Since(start), err
}

func (s *story) typedValue(ctx context.Context) error {
	s.Step(ctx, "3. A typed value, edited from outside")
	timeout := typed.Bind(s.b, "timeout", typed.Duration(), time.Second)
	defer timeout.Close()
	for _, text := range []string{"250ms", "soon"} {
		before := timeout.Load()
		if _, err := s.edit(ctx, "timeout", text); err != nil {
			return err
		}
		// A Value follows its store a moment later.
		if err := until(ctx, func() bool { return timeout.Load() != before || timeout.Err() != nil }); err != nil {
			return err
		}
		s.Say("timeout.Load() is %v, timeout.Err() %v", timeout.Load(), timeout.Err())
	}
	if timeout.Load() != 250*time.Millisecond || !errors.Is(timeout.Err(), typed.ErrRejected) {
		return errors.New("a malformed value has replaced a good one")
	}
	s.OK("A malformed value never replaces a good one.")
	return nil
}

// edit changes a key without a store, and returns how long it took until A and B knew.
func (s *story) edit(ctx context.Context, key, value string) (time.Duration, error) {
	start := time.Now()
	revision, err := s.Edit(ctx, s.Map, key, value)
	if err != nil {
		return 0, err
	}
	_, errA := s.a.WaitFor(ctx, revision)
	_, errB := s.b.WaitFor(ctx, revision)
	took := time.Since(start)
	s.Pause(ctx)
	return took, errors.Join(errA, errB)
}

func (s *story) outage(ctx context.Context) error {
	s.Step(ctx, "4. The API server is killed")
	if s.APIServer == nil {
		s.Say("Left out: this cluster is not the demo's to kill.")
		return nil
	}
	s.Command("kill -KILL apiserver")
	if err := s.APIServer.Kill(); err != nil {
		return err
	}
	s.Say("A adds one to the counter, and waits for the server. B is read a million times.")
	var writing errgroup.Group
	writing.Go(func() error {
		_, err := s.add(ctx, 1, 1, s.inA)
		return err
	})
	for range 1_000_000 {
		if level, _ := s.b.Get("log-level"); level != "debug" {
			return errors.New("a read has failed")
		}
	}
	s.OK("No read failed.")
	if err := until(ctx, func() bool { return s.b.Status().Err != nil }); err != nil {
		return err
	}
	s.Say("B's Status says why its copy may be stale:")
	s.Detail("%v", s.b.Status().Err)
	s.Command("apiserver ...")
	if err := s.APIServer.Restart(ctx); err != nil {
		return err
	}
	// An edit that keeps no ledger would come too early now: if the request was lost with the
	// server, A could not tell any more whether it had been applied before.
	if err := writing.Wait(); err != nil {
		return err
	}
	took, err := s.edit(ctx, "log-level", "warn")
	if err != nil {
		return err
	}
	s.OK("A's write was applied. %s after the server was ready, A and B had a new edit.", demo.Short(took))
	return nil
}

// until waits for what nothing tells of.
func until(ctx context.Context, condition func() bool) error {
	return wait.PollUntilContextCancel(ctx, time.Millisecond, true, func(context.Context) (bool, error) { return condition(), nil })
}

// measure: what reads, writes and changes cost, here and now.
func (s *story) measure(ctx context.Context) error {
	s.Step(ctx, "5. What it costs")
	reads := testing.Benchmark(func(b *testing.B) {
		b.RunParallel(func(readers *testing.PB) {
			for readers.Next() {
				s.b.Get("log-level")
			}
		})
	})
	s.Say("reads         %8.1f million a second, from memory", float64(reads.N)/reads.T.Seconds()/1e6)

	before := s.a.Stats().Requests
	took, err := s.add(ctx, 64, 100, s.inA)
	if err != nil {
		return err
	}
	s.Say("writes        %8.0f a second, 64 at a time: 6400 in %d requests", 6400/took.Seconds(), s.a.Stats().Requests-before)

	delays := make([]time.Duration, 200)
	for i := range delays {
		ping, start := strconv.Itoa(i), time.Now()
		err := s.a.Set(ctx, "ping", ping)
		_, waitErr := s.b.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
			got, _ := now.Get("ping")
			return err != nil || got == ping
		})
		if err := errors.Join(err, waitErr); err != nil {
			return err
		}
		delays[i] = time.Since(start)
	}
	slices.Sort(delays)
	s.Say("changes       %11s from Set in A until B has it (median), p99 %s", demo.Short(delays[100]), demo.Short(delays[198]))

	counter, acknowledged := s.inA.Load(), int(s.acknowledged.Load())
	s.Say("lost updates  %8d of %d acknowledged", acknowledged-counter, acknowledged)
	if counter != acknowledged {
		return fmt.Errorf("the counter is %d, after %d acknowledged increments", counter, acknowledged)
	}
	return nil
}
