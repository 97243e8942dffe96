package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
)

// writers lets many goroutines of one process write one map.
func (b *bench) writers(ctx context.Context) (*report.Section, error) {
	var plans []load.Plan
	many := pick(b, 64, 8)
	for _, writers := range pick(b, []int{1, 4, 16, many, 256}, []int{1, many}) {
		for _, strategy := range []*load.Strategy{load.Mapstore, load.RetryOnConflict, load.PUT} {
			plans = append(plans, load.Plan{Strategy: strategy, Stores: 1, Writers: writers, For: pick(b, time.Second, 200*time.Millisecond)})
		}
	}
	trials, err := b.trials(ctx, pick(b, 3, 1), plans)
	if err != nil {
		return nil, err
	}
	own, peer := find(trials, load.Mapstore, 1, many), find(trials, load.RetryOnConflict, 1, many)
	_, failed := own.outcomes()
	return &report.Section{
		Targets: []report.Target{{
			What:    fmt.Sprintf("%d writers, one store", many),
			Against: bareRate(trials),
			Measured: fmt.Sprintf("%s/s, %d failed (RetryOnConflict: %s/s, %s succeed)", report.Count(own.perSecond()), failed,
				report.Count(peer.perSecond()), report.Percent(1-peer.failedShare())),
			Ratio: report.Times(own.toBare()),
			Goal:  ">= 45x, none fails",
			Met:   own.toBare() >= 45 && failed == 0,
		}},
		Table: table(trials),
		Charts: map[string]chart.Picture{"writers.svg": chart.Lines{
			Title: "Writes a second by the goroutines of one process", X: "goroutines that write", Y: "acknowledged writes/s",
			Series: series(trials, func(t *trial) int { return t.Writers }, (*trial).perSecond),
		}},
	}, nil
}
