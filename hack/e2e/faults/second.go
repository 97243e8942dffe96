package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/hack/wire"
)

// A second API server shares the etcd of a testbed's first one, and learns of
// everything late.
type second struct {
	etcd   *wire.Wire // what makes it late
	client *rig.Client
}

// startSecond starts a second API server, which runs until the testbed is closed.
func (b *testbed) startSecond(ctx context.Context) (*second, error) {
	etcd, err := wire.New(strings.TrimPrefix(b.plane.EtcdURL(), "http://"), b.newRand())
	if err != nil {
		return nil, err
	}
	b.onClose(etcd.Close)
	plane, err := kube.Start(ctx, kube.Options{EtcdURL: "http://" + etcd.Address()})
	if err != nil {
		return nil, err
	}
	b.onClose(func() { b.result.err = errors.Join(b.result.err, plane.Stop()) })
	client, err := rig.NewClient(plane.Config(), nil)
	if err != nil {
		return nil, err
	}
	b.onClose(client.Cut)
	return &second{etcd, client}, nil
}

// isBehind reports whether a server's watch cache is older than what a store has seen.
func (b *testbed) isBehind(ctx context.Context, server *rig.Client, m *member) bool {
	seen := m.store.Snapshot().Revision()
	object, err := server.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.ResourceVersion, seen)
	return err == nil && order < 0
}

// toAndFro sends the affected stores to a second API server, which lags, and
// back, again and again, as a load balancer does. It counts how often one has come
// to a server that was behind it.
func toAndFro(lag time.Duration, behind *atomic.Int64) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		server, err := b.startSecond(ctx)
		if err != nil {
			return nil, err
		}
		send := func(to *rig.Client) {
			for _, m := range b.affected() {
				m.network.Route(to)
				m.http.Cut()
			}
			server.client.Cut()
		}
		server.etcd.Set(wire.Trouble{Latency: lag})
		stop, err := again(600*time.Millisecond, func(ctx context.Context, b *testbed, n int) error {
			if n%2 == 1 {
				send(nil)
				return nil
			}
			for _, m := range b.affected() {
				if b.isBehind(ctx, server.client, m) {
					behind.Add(1)
				}
			}
			send(server.client)
			return nil
		})(ctx, b)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			err := stop(ctx)
			server.etcd.Set(wire.Trouble{})
			send(nil)
			return err
		}, nil
	}
}
