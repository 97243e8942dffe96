package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// compacted keeps each affected store between its list and its watch until etcd
// has forgotten what it has listed.
func compacted(ctx context.Context, b *testbed) (func(context.Context) error, error) {
	gate := make(chan struct{})
	waiting, gone := make(map[*member]*atomic.Int64), make(map[*member]int64)
	for _, m := range b.affected() {
		here := &atomic.Int64{}
		waiting[m], gone[m] = here, m.network.Gone.Load()
		m.network.OnRequest(func(request *http.Request) (*http.Response, error) {
			if !rig.IsWatch(request) {
				return nil, nil
			}
			here.Add(1)
			select {
			case <-gate:
				return nil, nil
			case <-request.Context().Done():
				return nil, request.Context().Err()
			}
		})
		m.network.EndWatches()
	}
	release := func() {
		for _, m := range b.affected() {
			m.network.OnRequest(nil)
		}
		close(gate)
	}
	for _, m := range b.affected() {
		if err := rig.Until(ctx, rig.Patience, func() bool { return waiting[m].Load() > 0 }); err != nil {
			release()
			return nil, fmt.Errorf("store %s opens no watch: %w", m.name, err)
		}
	}
	if err := b.forget(ctx); err != nil {
		release()
		return nil, err
	}
	return func(ctx context.Context) error {
		release()
		for _, m := range b.affected() {
			if err := rig.Until(ctx, rig.Patience, func() bool { return m.network.Gone.Load() > gone[m] }); err != nil {
				return fmt.Errorf("store %s was never answered by 410: %w", m.name, err)
			}
		}
		b.note("each affected store was answered by 410")
		return nil
	}, nil
}

// forget compacts away what was before. Of three versions the second is the one to
// compact at: etcd can still begin a watch at the revision itself, and the checker's
// witness, from which nothing may be taken that it has not seen, is about as fast as
// the store that is not affected.
func (b *testbed) forget(ctx context.Context) error {
	witness := b.members[len(b.members)-1].store
	var revisions []string
	for range 3 {
		_, value, err := b.mark(ctx)
		if err != nil {
			return err
		}
		seen, err := witness.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
			got, _ := now.Get(outsideKey)
			return got == value
		})
		if err != nil {
			return err
		}
		revisions = append(revisions, seen.Revision())
	}
	revision, err := strconv.ParseInt(revisions[1], 10, 64)
	if err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{b.plane.EtcdURL()}, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	_, err = client.Compact(ctx, revision)
	return errors.Join(err, client.Close())
}
