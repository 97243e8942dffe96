package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// firstSync measures what it takes until a store is of use.
func (b *bench) firstSync(ctx context.Context) (report.Section, error) {
	if err := b.Create(ctx, "sync", readKeys, valueSize); err != nil {
		return report.Section{}, err
	}
	client, err := b.Client()
	if err != nil {
		return report.Section{}, err
	}
	defer client.Close()
	var gets, syncs []time.Duration
	var requests int64
	for range pick(b, 300, 10) {
		if err := clock(&gets, func() error {
			_, err := client.CoreV1().ConfigMaps(b.Namespace).Get(ctx, "sync", metav1.GetOptions{})
			return err
		}); err != nil {
			return report.Section{}, err
		}
		before := client.Counts()
		var store *mapstore.Store
		if err := clock(&syncs, func() (err error) {
			store, err = b.Store(ctx, client, "sync")
			return err
		}); err != nil {
			return report.Section{}, err
		}
		requests = max(requests, client.Counts().Since(before).Total())
		store.Close()
	}
	return report.Section{
		Title: "First sync",
		Text: `From New to the end of WaitForSync, on a connection that is open, in turns with a GET
of the same map of 100 keys.`,
		Targets: []report.Target{{
			What:     "first sync",
			Against:  "one GET, " + report.Duration(stats.Median(gets)),
			Measured: fmt.Sprintf("%s, %d requests one after the other", report.Duration(stats.Median(syncs)), requests),
			Ratio:    report.Times(stats.Ratio(syncs, gets)),
			Goal:     "<= 2 requests",
			Met:      requests <= 2,
		}},
	}, nil
}
