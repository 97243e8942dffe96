package contention

import (
	"fmt"
	"testing"
	"time"
)

const ms = time.Millisecond

// A guard is bounds of what becomes of a pattern.
type guard struct {
	Pattern
	bares    float64         // time until all are done, in bare PUTs for each write; 0: no bound
	rate     float64         // writes a second; 0: no bound
	puts     float64         // PUTs for each write; 0: no bound
	p99      []time.Duration // by group; 0: no bound
	gap      []time.Duration // by group; 0: no bound
	fairness float64
}

// Each bound is far above what the store needs, and far below what stores need that take
// turns without looking who has anything to write. With -args -seeds 20 they hold for 20 seeds.
func TestWritersThatMeet(t *testing.T) {
	for _, row := range []guard{
		{Pattern: Sequence(40), puts: 2, p99: []time.Duration{15 * ms}},
		{Pattern: Heartbeats(50, 10*time.Second), puts: 1.3, p99: []time.Duration{20 * ms}},
		{Pattern: Heartbeats(50, 2*time.Second), puts: 1.5, p99: []time.Duration{40 * ms}},
		{Pattern: Rollout(8), bares: 2.5},
		{Pattern: Rollout(32), bares: 2.5},
		{Pattern: Rollout(64), bares: 2.5},
		{Pattern: Creation(24), bares: 2.5},
		{Pattern: Always(8, 1), rate: 180, puts: 1.2, gap: []time.Duration{200 * ms}, fairness: .9},
		{Pattern: Always(8, 8), rate: 1400, gap: []time.Duration{200 * ms}, fairness: .9},
		{Pattern: Always(32, 1), rate: 180, puts: 1.6, gap: []time.Duration{700 * ms}, fairness: .8},
		{Pattern: Far(10 * ms), rate: 140, gap: []time.Duration{0, time.Second}},
		{Pattern: Far(100 * ms), rate: 130, gap: []time.Duration{700 * ms, 2 * time.Second}},
		{Pattern: Slow(20 * ms), gap: []time.Duration{0, time.Second}, p99: []time.Duration{100 * ms}},
		{Pattern: Slow(500 * ms), gap: []time.Duration{0, 2500 * ms}},
		{Pattern: Mixed(4, 40, 6*time.Second), rate: 150, p99: []time.Duration{0, 200 * ms}},
	} {
		for seed := range uint64(max(*seeds, 1)) {
			t.Run(fmt.Sprintf("%s, seed %d", row.Name, seed), func(t *testing.T) {
				t.Parallel()
				row.check(t, Run(t, Mapstore, row.Pattern, Default, seed))
			})
		}
	}
}

// check holds a run to the bounds.
func (row guard) check(t *testing.T, r *Result) {
	if r.Failed() > 0 {
		t.Errorf("%d writes failed: %v", r.Failed(), r.Groups[0].Errors)
	}
	if row.bares > 0 && r.Bares() > row.bares {
		t.Errorf("all together took %.1f bare PUTs for each write, want %.1f", r.Bares(), row.bares)
	}
	if r.PerSecond() < row.rate {
		t.Errorf("%.0f writes a second, want %.0f", r.PerSecond(), row.rate)
	}
	if row.puts > 0 && r.PUTsEach() > row.puts {
		t.Errorf("%.2f PUTs for each write, want %.2f", r.PUTsEach(), row.puts)
	}
	for i, limit := range row.p99 {
		if got := r.Groups[i].Quantile(.99); limit > 0 && got > limit {
			t.Errorf("%s: p99 %v, want %v", r.Groups[i].Name, got, limit)
		}
	}
	for i, limit := range row.gap {
		if got := r.Groups[i].Gap; limit > 0 && got > limit {
			t.Errorf("%s: nothing for %v, want %v", r.Groups[i].Name, got, limit)
		}
	}
	if got := r.Groups[0].Fairness(); got < row.fairness {
		t.Errorf("the fewest writes of a store to the most: %.2f, want %.2f", got, row.fairness)
	}
}
