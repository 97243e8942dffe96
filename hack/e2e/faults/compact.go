package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// compacted keeps each affected store between its list and its watch until etcd
// has forgotten what it has listed.
func compacted(ctx context.Context, b *testbed) (func(context.Context) error, error) {
	var releases []func()
	gone := make(map[*member]int64)
	for _, m := range b.affected() {
		gone[m] = m.front.gone.Load()
		releases = append(releases, m.front.holdWatches())
		m.front.endWatches()
	}
	release := func() {
		for _, fn := range releases {
			fn()
		}
	}
	if err := b.forget(ctx); err != nil {
		release()
		return nil, err
	}
	return func(ctx context.Context) error {
		release()
		for _, m := range b.affected() {
			if err := until(ctx, patience, func() bool { return m.front.gone.Load() > gone[m] }); err != nil {
				return fmt.Errorf("store %s was never answered by 410: %w", m.name, err)
			}
		}
		b.note("each affected store was answered by 410")
		return nil
	}, nil
}

// forget waits until each affected store is about to watch, and compacts away
// the revision from which it will.
func (b *testbed) forget(ctx context.Context) error {
	for _, m := range b.affected() {
		if err := until(ctx, patience, func() bool { return m.front.waiting.Load() > 0 }); err != nil {
			return fmt.Errorf("store %s opens no watch: %w", m.name, err)
		}
	}
	// Of three versions the second is the one to compact at: etcd can still begin
	// a watch at the revision itself, and the checker's witness, from which
	// nothing may be taken that it has not seen, is about as fast as the store
	// that is not affected.
	var revisions []string
	witness := b.members[len(b.members)-1].store
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
	return compact(ctx, b.plane.EtcdURL(), revisions[1])
}

func compact(ctx context.Context, etcdURL, revision string) error {
	rev, err := strconv.ParseInt(revision, 10, 64)
	if err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{etcdURL}, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	_, err = client.Compact(ctx, rev)
	return errors.Join(err, client.Close())
}
