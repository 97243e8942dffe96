package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A spread is how long changes took to arrive, by the same index for the same
// change.
type spread struct {
	keys, bytes     int
	callback, watch []time.Duration // since the PUT was sent
	put             []time.Duration // until its answer was there
	own             []time.Duration // from a Set's return to the own callback; negative: the callback was first
}

func (s *spread) String() string { return fmt.Sprintf("%d keys x %d B", s.keys, s.bytes) }

// propagation measures how long after a commit others know of it.
func (b *bench) propagation(ctx context.Context) (*report.Section, error) {
	small, large := &spread{keys: 100, bytes: 100}, &spread{keys: 1000, bytes: 900}
	if err := b.spread(ctx, small, pick(b, 20, 2), 50); err != nil {
		return nil, err
	}
	if err := b.spread(ctx, large, pick(b, 12, 1), pick(b, 20, 10)); err != nil {
		return nil, err
	}
	section := &report.Section{}
	t := &section.Table
	t.Header = []string{"map", "what", "changes", "p50", "p99", "max"}
	for _, s := range []*spread{small, large} {
		p50, p99 := percentileRatio(s.callback, s.watch, 50), percentileRatio(s.callback, s.watch, 99)
		late := stats.Percentile(s.own, 99)
		section.Targets = append(section.Targets, report.Target{
			What:     "commit to another store's callback, " + s.String(),
			Against:  fmt.Sprintf("client-go watch, p50 %s, p99 %s", report.Duration(stats.Median(s.watch)), report.Duration(stats.Percentile(s.watch, 99))),
			Measured: fmt.Sprintf("p50 %s, p99 %s", report.Duration(stats.Median(s.callback)), report.Duration(stats.Percentile(s.callback, 99))),
			Ratio:    fmt.Sprintf("%s, %s", report.Times(p50), report.Times(p99)),
			Goal:     "<= 1.05x at p50, <= 1.2x at p99",
			Met:      p50 <= 1.05 && p99 <= 1.2,
		}, report.Target{
			What:     "own callback, " + s.String(),
			Against:  "the acknowledgement",
			Measured: fmt.Sprintf("p50 %s, p99 %s after it", report.Duration(stats.Median(s.own)), report.Duration(late)),
			Goal:     "p99 <= 1 ms after it",
			Met:      late <= time.Millisecond,
		})
		differences := slices.Clone(s.callback)
		for i, watched := range s.watch {
			differences[i] -= watched
		}
		for _, row := range []struct {
			what  string
			times []time.Duration
		}{
			{"the PUT's answer", s.put},
			{"client-go watch", s.watch},
			{"mapstore callback", s.callback},
			{"difference of the two", differences},
			{"own callback, after Set returned", s.own},
		} {
			t.Add(
				s.String(), row.what, report.Count(len(row.times)), report.Duration(stats.Median(row.times)),
				report.Duration(stats.Percentile(row.times, 99)), report.Duration(slices.Max(row.times)),
			)
		}
	}
	return section, nil
}

func percentileRatio(a, b []time.Duration, p float64) float64 {
	return float64(stats.Percentile(a, p)) / float64(stats.Percentile(b, p))
}

// spread measures one size of map.
func (b *bench) spread(ctx context.Context, s *spread, rounds, changes int) error {
	b.say("    %s", s)
	if err := b.Create(ctx, "spread", s.keys, s.bytes); err != nil {
		return err
	}
	for round := range rounds {
		if err := b.watchBoth(ctx, s, round, changes); err != nil {
			return err
		}
		if err := b.watchOwn(ctx, s, round, changes); err != nil {
			return err
		}
	}
	return nil
}

// watchBoth adds changes that a callback and a watch follow at once.
func (b *bench) watchBoth(ctx context.Context, s *spread, round, changes int) error {
	opens := []func(context.Context, string) (*observer, error){b.byCallback, b.byWatch}
	observers := make([]*observer, 2)
	for i := range observers {
		i = (i + round) % 2
		o, err := opens[i](ctx, "spread")
		if err != nil {
			return err
		}
		defer o.stop()
		observers[i] = o
	}
	putter, err := b.Putter(ctx, "spread")
	if err != nil {
		return err
	}
	defer putter.Close()
	const unmeasured = 3 // the first ones open connections
	for i := range changes + unmeasured {
		sent := time.Now()
		if err := putter.Set(ctx, rig.Key(i%s.keys), rig.Value(1_000_000*(round+1)+i, s.bytes)); err != nil {
			return err
		}
		took := []time.Duration{time.Since(sent)}
		for _, o := range observers {
			seen, err := o.await(ctx, putter.Revision())
			if err != nil {
				return err
			}
			took = append(took, seen.Sub(sent))
		}
		if i >= unmeasured {
			s.put, s.callback, s.watch = append(s.put, took[0]), append(s.callback, took[1]), append(s.watch, took[2])
		}
	}
	return nil
}

// watchOwn adds changes that the callback of the store hears that makes them.
func (b *bench) watchOwn(ctx context.Context, s *spread, round, changes int) error {
	process, err := b.Process(ctx, "spread")
	if err != nil {
		return err
	}
	defer process.Close()
	own := make(sightings, many)
	process.Store.OnChange(own.noteChange)
	for i := range changes {
		snapshot, err := process.Store.Update(ctx, func(tx *mapstore.Tx) error {
			tx.Set(rig.Key(i%s.keys), rig.Value(500_000+1_000_000*(round+1)+i, s.bytes))
			return nil
		})
		acknowledged := time.Now()
		if err != nil {
			return err
		}
		seen, err := own.await(ctx, snapshot.Revision())
		if err != nil {
			return err
		}
		s.own = append(s.own, seen.Sub(acknowledged))
	}
	return nil
}
