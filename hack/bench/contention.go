package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// A trial is one load, repeated.
type trial struct {
	load.Plan
	runs []*load.Result
	bare []float64 // writes a second by a bare PUT right before each run
}

// trials runs all plans in turns, so many times, each after a bare PUT.
func (b *bench) trials(ctx context.Context, rounds int, plans []load.Plan) ([]*trial, error) {
	var trials []*trial
	for _, plan := range plans {
		trials = append(trials, &trial{Plan: plan})
	}
	yardstick := load.Plan{Strategy: load.PUT, Stores: 1, Writers: 1, For: pick(b, 500*time.Millisecond, 100*time.Millisecond)}
	for round := range rounds {
		b.say("    round %d of %d", round+1, rounds)
		for _, t := range trials {
			bare, err := load.Run(ctx, b.Rig, yardstick)
			if err != nil {
				return nil, err
			}
			run, err := load.Run(ctx, b.Rig, t.Plan)
			if err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			t.runs, t.bare = append(t.runs, run), append(t.bare, bare.PerSecond())
		}
	}
	return trials, nil
}

// median returns the median over the runs.
func (t *trial) median(of func(*load.Result) float64) float64 {
	var values []float64
	for _, run := range t.runs {
		values = append(values, of(run))
	}
	return stats.Median(values)
}

func (t *trial) perSecond() float64 { return t.median((*load.Result).PerSecond) }

func (t *trial) p99() time.Duration {
	return time.Duration(t.median(func(r *load.Result) float64 { return float64(r.P99) }))
}

func (t *trial) commitShare() float64 {
	return t.median(func(r *load.Result) float64 { return r.CommitShare() })
}

// toBare is the median of how often it outdid the bare PUT.
func (t *trial) toBare() float64 {
	var rates []float64
	for _, run := range t.runs {
		rates = append(rates, run.PerSecond())
	}
	return stats.Ratio(rates, t.bare)
}

// outcomes counts the operations of all runs.
func (t *trial) outcomes() (acknowledged, failed int) {
	for _, run := range t.runs {
		acknowledged += run.Acknowledged
		failed += run.Failed
	}
	return acknowledged, failed
}

func (t *trial) failedShare() float64 {
	acknowledged, failed := t.outcomes()
	return float64(failed) / float64(max(acknowledged+failed, 1))
}

func find(trials []*trial, strategy *load.Strategy, stores, writers int) *trial {
	return trials[slices.IndexFunc(trials, func(t *trial) bool {
		return t.Strategy == strategy && t.Stores == stores && t.Writers == writers
	})]
}

// table has a row for each trial.
func table(trials []*trial) report.Table {
	t := report.Table{Header: []string{
		"strategy", "stores", "writers each", "writes/s", "to bare PUT", "p50", "p99", "failed", "PUTs/write", "commit", "fairness",
	}}
	for _, trial := range trials {
		t.Add(
			trial.Strategy.Name, report.Count(trial.Stores), report.Count(trial.Writers),
			report.Count(trial.perSecond()),
			report.Times(trial.toBare()),
			report.Duration(time.Duration(trial.median(func(r *load.Result) float64 { return float64(r.P50) }))),
			report.Duration(trial.p99()),
			report.Percent(trial.failedShare()),
			fmt.Sprintf("%.3g", trial.median(func(r *load.Result) float64 { return float64(r.PUTs) / float64(max(r.Acknowledged, 1)) })),
			report.Percent(trial.commitShare()),
			fmt.Sprintf("%.2f", trial.median((*load.Result).Fairness)),
		)
	}
	return t
}

// series returns a line for each strategy.
func series(trials []*trial, x func(*trial) int, y func(*trial) float64) []chart.Series {
	var all []chart.Series
	for _, t := range trials {
		i := slices.IndexFunc(all, func(s chart.Series) bool { return s.Name == t.Strategy.Name })
		if i < 0 {
			i, all = len(all), append(all, chart.Series{Name: t.Strategy.Name})
		}
		all[i].Points = append(all[i].Points, chart.Point{X: float64(x(t)), Y: max(y(t), 0.1)})
	}
	return all
}

// bareRate says what trials are held against.
func bareRate(trials []*trial) string {
	var rates []float64
	for _, t := range trials {
		rates = append(rates, t.bare...)
	}
	return fmt.Sprintf("the bare sequential PUT, %s/s", report.Count(stats.Median(rates)))
}

// contention lets many stores write one map.
func (b *bench) contention(ctx context.Context) (*report.Section, error) {
	var plans []load.Plan
	some, many := pick(b, 8, 2), pick(b, 32, 4)
	limit := load.Limit(8)
	for _, stores := range pick(b, []int{1, 2, 4, some, 16, many}, []int{1, some, many}) {
		for _, strategy := range []*load.Strategy{load.Mapstore, load.RetryOnConflict, load.Patient} {
			plans = append(plans, load.Plan{Strategy: strategy, Stores: stores, Writers: 8, For: pick(b, 3*time.Second, 300*time.Millisecond)})
		}
	}
	for _, stores := range []int{some, many} {
		plans = append(plans, load.Plan{Strategy: limit, Stores: stores, Writers: 8, For: pick(b, 3*time.Second, 300*time.Millisecond)})
	}
	trials, err := b.trials(ctx, pick(b, 3, 1), plans)
	if err != nil {
		return nil, err
	}
	target := func(stores int, times float64, limit time.Duration, commit float64) report.Target {
		t := find(trials, load.Mapstore, stores, 8)
		_, failed := t.outcomes()
		goal := fmt.Sprintf(">= %gx, none fails, p99 <= %s", times, report.Duration(limit))
		if commit > 0 {
			goal += fmt.Sprintf(", %.0f %% of the requests commit", 100*commit)
		}
		return report.Target{
			What:     fmt.Sprintf("%d stores x 8 writers on one map", stores),
			Against:  bareRate(trials),
			Measured: fmt.Sprintf("%s/s, %d failed, p99 %s, %s of the requests commit", report.Count(t.perSecond()), failed, report.Duration(t.p99()), report.Percent(t.commitShare())),
			Ratio:    report.Times(t.toBare()),
			Goal:     goal,
			Met:      t.toBare() >= times && failed == 0 && t.p99() <= limit && t.commitShare() >= commit,
		}
	}
	picture := func(title, y string, of func(*trial) float64) chart.Lines {
		return chart.Lines{
			Title: title + ", 8 writers in each store", X: "stores, each with connections of its own", Y: y,
			Series: series(trials, func(t *trial) int { return t.Stores }, of),
		}
	}
	rates := picture("Writes a second", "acknowledged writes/s", (*trial).perSecond)
	late := picture("How long a write takes that succeeds", "p99, ms", func(t *trial) float64 { return t.p99().Seconds() * 1000 })
	return &report.Section{
		Targets: []report.Target{target(some, 4, 500*time.Millisecond, 0), target(many, 2, 2*time.Second, 0.5)},
		Table:   table(trials),
		Charts:  map[string]chart.Picture{"contention.svg": rates, "contention-p99.svg": late},
	}, nil
}
