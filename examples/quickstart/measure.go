package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// measurements: what reading, writing and being told cost, here and now.
func (s *story) measurements(ctx context.Context) error {
	s.feed.stop()
	s.console.say("Measuring reads, writes and callbacks, for %s each ...", short(s.measure))
	for _, measure := range []func(context.Context) ([]result, error){s.reads, s.writes, s.callbacks} {
		results, err := measure(ctx)
		if err != nil {
			return err
		}
		s.console.results(results)
	}
	s.console.results(s.outageResults)

	final, err := s.b.Sync(ctx)
	if err != nil {
		return err
	}
	value, _ := final.Get(counter)
	count, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return err
	}
	acknowledged := s.acknowledged.Load()
	s.console.results([]result{{"lost updates", thousands(acknowledged - count), "of " + thousands(acknowledged) + " acknowledged"}})
	if count != acknowledged {
		return fmt.Errorf("the counter is %d, after %d acknowledged increments", count, acknowledged)
	}
	return nil
}

// reads keeps every processor reading.
func (s *story) reads(ctx context.Context) ([]result, error) {
	const burst = 10_000
	workers := runtime.GOMAXPROCS(0)
	var mu sync.Mutex // protects bursts
	var bursts []time.Duration
	start := time.Now()
	read := func(ctx context.Context) error {
		var took []time.Duration
		for now := start; now.Sub(start) < s.measure && ctx.Err() == nil; {
			for range burst {
				s.b.Get(counter)
			}
			before := now
			now = time.Now()
			took = append(took, now.Sub(before))
		}
		mu.Lock()
		defer mu.Unlock()
		bursts = append(bursts, took...)
		return nil
	}
	if err := together(ctx, slices.Repeat([]task{read}, workers)...); err != nil {
		return nil, err
	}
	perSecond := float64(len(bursts)) * burst / time.Since(start).Seconds()
	each := float64(percentile(bursts, 50).Nanoseconds()) / burst
	return []result{{"reads", thousands(int64(perSecond)) + "/s", fmt.Sprintf("%.1f ns each (median), %d at a time", each, workers)}}, nil
}

// writes lets 64 writers of one store increment the counter.
func (s *story) writes(ctx context.Context) ([]result, error) {
	const writers = 64
	store, commits, err := s.cluster.openCounted(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	before := s.acknowledged.Load()
	start := time.Now()
	write := func(ctx context.Context) error {
		for time.Since(start) < s.measure {
			if err := s.increment(ctx, store); err != nil {
				return err
			}
		}
		return nil
	}
	if err := together(ctx, slices.Repeat([]task{write}, writers)...); err != nil {
		return nil, err
	}
	took, writes := time.Since(start), s.acknowledged.Load()-before
	return []result{{
		fmt.Sprintf("writes, %d at a time", writers),
		thousands(int64(float64(writes)/took.Seconds())) + "/s",
		fmt.Sprintf("%.3f requests each", float64(commits.Load())/float64(writes)),
	}}, nil
}

// callbacks measures how long after a write to a is acknowledged a subscriber of
// b is called.
func (s *story) callbacks(ctx context.Context) ([]result, error) {
	const key = "ping"
	called := make(chan time.Time, 1)
	subscription := s.b.OnChange(func(mapstore.Change) { called <- time.Now() }, mapstore.Keys(key))
	defer subscription.Stop()

	var whole, delays []time.Duration
	for start := time.Now(); time.Since(start) < s.measure; {
		sent := time.Now()
		if err := s.a.Set(ctx, key, strconv.Itoa(len(delays))); err != nil {
			return nil, err
		}
		acknowledged := time.Now()
		select {
		case at := <-called:
			whole = append(whole, at.Sub(sent))
			delays = append(delays, at.Sub(acknowledged))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []result{
		{"write to callback p50", short(percentile(whole, 50)), fmt.Sprintf("in B, after A called Set; %d writes", len(whole))},
		{"write to callback p99", short(percentile(whole, 99)), ""},
		{"commit to callback p50", short(percentile(delays, 50)), "in B, after Set returned in A"},
		{"commit to callback p99", short(percentile(delays, 99)), "(below 0: before it returned)"},
	}, nil
}

// percentile returns the smallest duration that p percent do not exceed.
func percentile(durations []time.Duration, p int) time.Duration {
	slices.Sort(durations)
	return durations[(len(durations)*p+99)/100-1]
}
