package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// writers lets many goroutines of one process write one map.
func (b *bench) writers(ctx context.Context) (report.Section, error) {
	var plans []load.Plan
	for _, writers := range pick(b, []int{1, 4, 16, 64, 256}, []int{1, 64}) {
		for _, strategy := range []string{load.Mapstore, load.RetryOnConflict, load.PUT} {
			plans = append(plans, load.Plan{Strategy: strategy, Stores: 1, Writers: writers, For: pick(b, time.Second, 200*time.Millisecond)})
		}
		plans = append(plans, load.Plan{Strategy: load.Shared, Stores: 1, Writers: writers, Operations: pick(b, 300, 30)})
	}
	trials, err := b.trials(ctx, pick(b, 3, 1), plans)
	if err != nil {
		return report.Section{}, err
	}
	own, peer, limit := find(trials, load.Mapstore, 1, 64), find(trials, load.RetryOnConflict, 1, 64), find(trials, load.Shared, 1, 64)
	succeeds := peer.median((*load.Result).SuccessShare)
	return report.Section{
		Title: "Many writers, one store",
		Text: fmt.Sprintf(`Goroutines of one process each increment a counter that all share and a key of their
own, in one transaction, as fast as they can. While one request is in flight, a store
gathers what waits, and the next request carries it all. PUT is a bare guarded PUT
under a mutex, which needs to be the only writer. RetryOnConflict is client-go's,
with its DefaultRetry and a GET in each attempt. Shared is the limit of sharing: the
bare PUTs of somebody who knows that all writers come, and waits for the last. It is
not as many times as there are writers, because the map has a key for each of them,
and the server takes longer for a map of more keys.

What limits 64 writers of one store is the server first: a request of theirs was on its
way for %s of the time, and this process, writers included, was busy with %.2f of a core.
Of 64 writers %.0f share a request. To Shared there is missing what passes between two
requests: those who have their answer are woken and write on, and then their functions run
one after the other, each in its caller's goroutine. And the server sends each version
to the store's watch as well, on the cores that all of them share.`,
			report.Percent(own.median((*load.Result).OnItsWay)), stats.Median(own.cpu),
			own.median(func(r *load.Result) float64 { return float64(r.Acknowledged) / float64(max(r.PUTs, 1)) })),
		Targets: []report.Target{{
			What:    "64 writers, one store",
			Against: fmt.Sprintf("the bare sequential PUT, %s/s", report.Count(bareRate(trials))),
			Measured: fmt.Sprintf("%s/s, %d failed (Shared: %s/s, %s; RetryOnConflict: %s/s, %s succeed)", report.Count(own.perSecond()), own.failed(),
				report.Count(limit.perSecond()), report.Times(limit.toBare()), report.Count(peer.perSecond()), report.Percent(succeeds)),
			Ratio: report.Times(own.toBare()),
			Goal:  ">= 45x, none fails",
			Met:   own.toBare() >= 45 && own.failed() == 0,
		}},
		Tables: []report.Table{table(trials)},
		Charts: []report.Chart{{File: "writers.svg", Alt: "Acknowledged writes a second over the number of writers in one process", Picture: chart.Lines{
			Title: "Writes a second by the goroutines of one process", X: "goroutines that write", Y: "acknowledged writes/s", LogX: true, LogY: true,
			LegendTop: true, LegendLeft: true, Series: series(trials, func(t *trial) int { return t.Writers }, (*trial).perSecond),
		}}},
	}, nil
}
