package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// A second API server shares the etcd of a testbed's first one, and learns of
// everything late.
type second struct {
	plane  *kube.ControlPlane
	etcd   *wire   // what makes it late
	client *client // of the server
}

// startSecond starts a second API server, which runs until the testbed is closed.
func (b *testbed) startSecond(ctx context.Context) (*second, error) {
	etcd, err := newWire(strings.TrimPrefix(b.plane.EtcdURL(), "http://"), b.newRand())
	if err != nil {
		return nil, err
	}
	b.onClose(etcd.close)
	plane, err := kube.Start(ctx, kube.Options{EtcdURL: "http://" + etcd.address})
	if err != nil {
		return nil, err
	}
	b.onClose(func() { b.result.err = errors.Join(b.result.err, plane.Stop()) })
	client, err := newClient(plane.Config())
	if err != nil {
		return nil, err
	}
	b.onClose(client.close)
	return &second{plane, etcd, client}, nil
}

// isBehind reports whether the server's watch cache is older than what a store
// has seen.
func (s *second) isBehind(ctx context.Context, b *testbed, m *member) bool {
	seen := m.store.Snapshot().Revision()
	object, err := s.client.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.ResourceVersion, seen)
	return err == nil && order < 0
}

// toAndFro sends the affected stores to a second API server, which lags, and
// back, again and again.
func toAndFro(lag time.Duration) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		server, err := b.startSecond(ctx)
		if err != nil {
			return nil, err
		}
		ways := make(map[*member][2]*path)
		for _, m := range b.affected() {
			way, err := newPath(server.plane.Config())
			if err != nil {
				return nil, err
			}
			b.onClose(way.close)
			ways[m] = [2]*path{m.front.current(), way}
		}
		server.etcd.set(trouble{latency: lag})
		behind := 0
		stop, err := again(600*time.Millisecond, func(ctx context.Context, b *testbed, n int) error {
			for _, m := range b.affected() {
				to := (n + 1) % 2
				if to == 1 && server.isBehind(ctx, b, m) {
					behind++
				}
				m.front.switchTo(ways[m][to])
			}
			return nil
		})(ctx, b)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			err := stop(ctx)
			server.etcd.set(trouble{})
			for _, m := range b.affected() {
				m.front.switchTo(ways[m][0])
			}
			b.note(fmt.Sprintf("a store was ahead of the server that it came to %d times", behind))
			if behind == 0 {
				err = errors.Join(err, errors.New("the second API server was never behind"))
			}
			return err
		}, nil
	}
}
