package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// rollouts lets many stores write once each, all at the same time, as replicas do when they
// begin.
func (b *bench) rollouts(ctx context.Context) (*report.Section, error) {
	var plans []load.Plan
	many := pick(b, 32, 4)
	for _, stores := range pick(b, []int{8, many, 64}, []int{many}) {
		for _, strategy := range []*load.Strategy{load.Mapstore, load.RetryOnConflict, load.Patient, load.Limit(1)} {
			plans = append(plans, load.Plan{Strategy: strategy, Stores: stores, Writers: 1, Operations: 1})
		}
	}
	trials, err := b.trials(ctx, pick(b, 3, 1), plans)
	if err != nil {
		return nil, err
	}
	t := report.Table{Header: []string{"stores", "strategy", "all done after", "the slowest time", "bare PUTs a write", "the worst time", "PUTs/write", "failed"}}
	for _, trial := range trials {
		took, bares := trial.rollout()
		t.Add(report.Count(trial.Stores), trial.Strategy.Name,
			report.Duration(stats.Median(took)), report.Duration(slices.Max(took)),
			fmt.Sprintf("%.1f", stats.Median(bares)), fmt.Sprintf("%.1f", slices.Max(bares)),
			fmt.Sprintf("%.3g", trial.median(func(r *load.Result) float64 { return float64(r.PUTs) / float64(max(r.Acknowledged, 1)) })),
			report.Percent(trial.failedShare()))
	}
	own := find(trials, load.Mapstore, many, 1)
	took, bares := own.rollout()
	_, failed := own.outcomes()
	return &report.Section{
		Targets: []report.Target{{
			What: fmt.Sprintf("%d stores write once, at the same time", many), Against: bareRate(trials),
			Measured: fmt.Sprintf("all done after %s, %d failed", report.Duration(slices.Max(took)), failed),
			Ratio:    report.Times(slices.Max(bares)),
			Goal:     "<= 3x as long as bare PUTs, each time; none fails", Met: slices.Max(bares) <= 3 && failed == 0,
		}},
		Table: t,
	}, nil
}

// rollout returns how long each run took, and how many bare PUTs could have been made in that
// time for each write.
func (t *trial) rollout() (took []time.Duration, bares []float64) {
	for i, run := range t.runs {
		took = append(took, run.Took)
		bares = append(bares, run.Took.Seconds()*t.bare[i]/float64(max(run.Acknowledged, 1)))
	}
	return took, bares
}

// heartbeats lets many stores write now and then.
func (b *bench) heartbeats(ctx context.Context) (*report.Section, error) {
	var plans []load.Plan
	every := pick(b, 10*time.Second, 200*time.Millisecond)
	stores := pick(b, 50, 4)
	for _, strategy := range []*load.Strategy{load.Mapstore, load.RetryOnConflict, load.Patient} {
		plans = append(plans, load.Plan{Strategy: strategy, Stores: stores, Writers: 1, Every: every, For: 3 * every})
	}
	trials, err := b.trials(ctx, 1, plans)
	if err != nil {
		return nil, err
	}
	t := report.Table{Header: []string{"strategy", "writes", "p50", "p99", "PUTs/write", "failed"}}
	for _, trial := range trials {
		run := trial.runs[0]
		t.Add(trial.Strategy.Name, report.Count(run.Acknowledged), report.Duration(run.P50), report.Duration(run.P99),
			fmt.Sprintf("%.3g", float64(run.PUTs)/float64(max(run.Acknowledged, 1))), report.Percent(trial.failedShare()))
	}
	own, peer := trials[0].runs[0], trials[1].runs[0]
	ratio := own.P99.Seconds() / peer.P99.Seconds()
	return &report.Section{
		Targets: []report.Target{{
			What: fmt.Sprintf("%d stores write every %v", stores, every), Against: "RetryOnConflict, p99 " + report.Duration(peer.P99),
			Measured: fmt.Sprintf("p50 %s, p99 %s, %d failed", report.Duration(own.P50), report.Duration(own.P99), own.Failed),
			Ratio:    report.Times(ratio),
			Goal:     "p99 <= 1.5x, none fails", Met: ratio <= 1.5 && own.Failed == 0,
		}},
		Table: t,
	}, nil
}
