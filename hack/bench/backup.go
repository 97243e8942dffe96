package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	backupKeys  = 1024 // of a map of 1 MiB
	backupValue = 1024
)

// backup measures what a start in an outage takes, and what being prepared for it costs.
func (b *bench) backup(ctx context.Context) (*report.Section, error) {
	dir, err := os.MkdirTemp("", "mapstore-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	starts, err := b.starts(ctx, filepath.Join(dir, "large"))
	if err != nil {
		return nil, err
	}
	cost, err := b.backupCost(ctx, filepath.Join(dir, "small"))
	if err != nil {
		return nil, err
	}
	rounds := pick(b, 1000, 3)
	var unreadable [2]int
	for i, kind := range killedKinds {
		if unreadable[i], err = b.kill(ctx, kind, filepath.Join(dir, kind.name), rounds); err != nil {
			return nil, err
		}
	}
	first := stats.Median(starts)
	return &report.Section{
		Targets: []report.Target{
			{
				What: "First read of 1 MiB in an outage", Against: "New",
				Measured: report.Duration(first), Goal: "<= 10 ms", Met: first <= 10*time.Millisecond,
			},
			ratio("Set, with a backup", cost.setsWith, cost.setsWithout),
			ratio("Get, with a backup", cost.getsWith, cost.getsWithout),
			{
				What: fmt.Sprintf("Files that %d kills leave unreadable", rounds), Against: fmt.Sprintf("a file overwritten in place, %d", unreadable[1]),
				Measured: fmt.Sprint(unreadable[0]), Goal: "0", Met: unreadable[0] == 0,
			},
		},
		Table: report.Table{
			Header: []string{"", ""},
			Rows: [][]string{
				{"first correct read of 1 MiB after New, without an API server, p50", report.Duration(first)},
				{"the same, p99", report.Duration(stats.Percentile(starts, 99))},
				{"file of a map of 100 keys with values of 100 bytes", report.Bytes(cost.fileBytes)},
				{"written to disk for each change, at the rate of one writer", report.Bytes(cost.bytesPerChange)},
				{fmt.Sprintf("unreadable after %d kills: mapstore", rounds), fmt.Sprint(unreadable[0])},
				{fmt.Sprintf("unreadable after %d kills: the same values, overwritten in place", rounds), fmt.Sprint(unreadable[1])},
			},
		},
	}, nil
}

// ratio is the target for what must cost the same with a backup as without.
func ratio[T ~int64 | ~float64](what string, with, without []T) report.Target {
	r := stats.Ratio(with, without)
	return report.Target{
		What: what, Against: "the same without", Measured: "see the ratio",
		Ratio: report.Times(r), Goal: "<= 1.02x", Met: r <= 1.02,
	}
}

// starts returns how long it takes from New until a read is right.
func (b *bench) starts(ctx context.Context, file string) ([]time.Duration, error) {
	if err := b.Create(ctx, "backup-large", backupKeys, backupValue); err != nil {
		return nil, err
	}
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	store, err := b.StoreWith(ctx, client, "backup-large", mapstore.Options{Backup: file})
	if err != nil {
		return nil, err
	}
	store.Close() // writes the file
	config := b.Plane.Config()
	config.Host = "https://127.0.0.1:1" // nobody listens there
	away, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for range pick(b, 200, 3) {
		if err := clock(&took, func() error {
			store, err = mapstore.New(away, b.Namespace, "backup-large", mapstore.Options{Backup: file})
			if err != nil {
				return err
			}
			go store.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was closed before
			_, err = store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
				last, _ := now.Get(rig.Key(backupKeys - 1))
				return last == rig.Value(backupKeys-1, backupValue)
			})
			return err
		}); err != nil {
			return nil, err
		}
		store.Close()
	}
	return took, nil
}

// A backupCost is what writes and reads cost with a backup and without, in turns.
type backupCost struct {
	setsWith, setsWithout     []time.Duration
	getsWith, getsWithout     []float64 // ns, while the map changes
	fileBytes, bytesPerChange float64
}

func (b *bench) backupCost(ctx context.Context, file string) (*backupCost, error) {
	client, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var stores []*mapstore.Store
	for name, opts := range map[string]mapstore.Options{"backup-with": {Backup: file}, "backup-without": {}} {
		if err := b.Create(ctx, name, readKeys, valueSize); err != nil {
			return nil, err
		}
		store, err := b.StoreWith(ctx, client, name, opts)
		if err != nil {
			return nil, err
		}
		defer store.Close()
		if stores = append(stores, store); opts.Backup != "" && len(stores) == 2 {
			stores[0], stores[1] = stores[1], stores[0]
		}
	}
	with, without := stores[0], stores[1]
	c, n := &backupCost{}, 0
	set := func(store *mapstore.Store, took *[]time.Duration) func() error {
		return func() error {
			return clock(took, func() error { return store.Set(ctx, rig.Key(0), rig.Value(n, valueSize)) })
		}
	}
	before := with.Stats().Backups
	for n = range pick(b, 3000, 30) {
		first, second := set(with, &c.setsWith), set(without, &c.setsWithout)
		if n%2 == 1 { // each is first in every other turn
			first, second = second, first
		}
		if err := first(); err != nil {
			return nil, err
		}
		if err := second(); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	c.fileBytes = float64(info.Size())
	c.bytesPerChange = c.fileBytes * float64(with.Stats().Backups-before) / float64(len(c.setsWith))

	// Every 100 ms there is a new version to read, and to write in between.
	changing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for changing.Err() == nil {
			n++
			_ = set(with, new([]time.Duration))()
			_ = set(without, new([]time.Duration))()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	for range pick(b, 21, 2) {
		for _, side := range []struct {
			store *mapstore.Store
			ns    *[]float64
		}{{with, &c.getsWith}, {without, &c.getsWithout}} {
			result := benchmark(pick(b, 200*time.Millisecond, 5*time.Millisecond), func(t *testing.B) {
				for t.Loop() {
					side.store.Get(rig.Key(1))
				}
			})
			*side.ns = append(*side.ns, float64(result.T.Nanoseconds())/float64(result.N))
		}
	}
	stop()
	<-ended
	return c, nil
}
