package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/hack/wire"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// replicatedRows are about a control plane as in production, of which a part is gone: three
// members of etcd, two API servers, of which the first knows the first member only, and HAProxy.
func replicatedRows() []row {
	return slices.Concat(etcdRows(), apiServerRows(), balancerRows(), rotationRows())
}

// shared makes rows happen on one control plane.
func shared(kind planeKind, hold [2]time.Duration, rows ...row) []row {
	for i := range rows {
		rows[i].plane, rows[i].hold = kind, hold
	}
	return rows
}

var heldFor = [2]time.Duration{6 * time.Second, 2 * time.Second}

// etcdRows: who is cut off while its API server goes on answers by that server's cache.
func etcdRows() []row {
	cutOff := func(leader int) fault {
		return lasting(func(ctx context.Context, b *testbed) error {
			if err := b.plane.MakeLeader(ctx, leader); err != nil {
				return err
			}
			b.plane.Peers.CutOff(0)
			return nil
		}, healPeers)
	}
	var behind atomic.Int64
	return shared(replicated, heldFor, []row{
		{name: "the leader of three etcd members killed", flows: true, fault: led(1, (*kube.Process).Kill)},
		{name: "the leader of three etcd members stopped (SIGSTOP)", fault: led(1, (*kube.Process).Pause)},
		{name: "a follower of three etcd members stopped (SIGSTOP)", fault: led(0, (*kube.Process).Pause)},
		{name: "two of three etcd members killed", during: refuses, fault: lasting(killMembers, mendAll)},
		{name: "the leader of etcd cut off, its API server goes on", split: true, spared: true, cuts: true, during: answersByItsCache, fault: cutOff(0)},
		{name: "a follower of etcd cut off, its API server goes on", split: true, spared: true, cuts: true, during: answersByItsCache, fault: cutOff(1)},
		{
			name: "the leader of etcd cut off, and the load balancer cuts the connections of what is down", flows: true,
			inside: true, fresh: freshWithin, fault: both(balancerWith(kube.BalancerOptions{CutsDown: true}), cutOff(0)),
		},
		{
			name: "a member of etcd lags 500 ms, and stores move between the API servers", flows: true,
			proof: proof{"times a store was ahead of the server behind", func(*testbed) int64 { return behind.Load() }, 2},
			fault: lagging(500*time.Millisecond, &behind),
		},
	}...)
}

func apiServerRows() []row {
	const staleAfter = 3 * time.Second
	rows := shared(replicated, heldFor, []row{
		{name: "one of two API servers killed", flows: true, fault: one(first, (*kube.Process).Kill)},
		{
			name: "one of two API servers stopped (SIGSTOP), StaleAfter 3 s", stores: mapstore.Options{StaleAfter: staleAfter},
			split: true, spared: true, cuts: true, notice: staleAfter + time.Second, fault: one(first, (*kube.Process).Pause),
		},
		{
			name: "an API server cut off from etcd", split: true, spared: true, cuts: true, during: answersByItsCache,
			fault: lasting(
				func(_ context.Context, b *testbed) error { b.plane.EtcdWire.Set(wire.Trouble{Hole: true}); return nil },
				func(ctx context.Context, b *testbed) error { b.plane.EtcdWire.Set(wire.Trouble{}); return b.ready(ctx) },
			),
		},
		{name: "each of two API servers drained (SIGTERM) and started again", longOnly: true, flows: true, fault: lasting(drainEach, nothing)},
		{name: "both API servers killed", cuts: true, notice: killNoticedWithin, fault: lasting(killServers, mendAll)},
		{name: "everything restarted in turns", longOnly: true, flows: true, fault: lasting(restartEach, nothing)},
	}...)
	return append(rows, shared(outdated, heldFor, row{
		name: "API servers of the oldest version replaced by the newest in turns", longOnly: true, flows: true, fault: lasting(upgrade, nothing),
	})...)
}

func balancerRows() []row {
	reopened := func(atLeast int64) proof {
		return proof{"connections opened anew", ofAffected(func(m *member) int64 { return m.http.Dialed.Load() }), atLeast}
	}
	return shared(replicated, heldFor, []row{
		{name: "the load balancer reloaded", flows: true, fault: again(4*time.Second, func(ctx context.Context, b *testbed, _ int) error {
			return b.plane.Balancer.Reload(ctx)
		})},
		{name: "the load balancer killed", cuts: true, notice: killNoticedWithin, fault: one(balancer, (*kube.Process).Kill)},
		{
			// Each store is cut off once by the reload, and at least once for being idle.
			name: "the load balancer cuts what is idle for 5 s, nobody writes", idle: true, inside: true, fresh: freshWithin,
			proof: reopened(2 * storesPerRow), fault: both(unloaded, balancerWith(kube.BalancerOptions{IdleTimeout: 5 * time.Second})),
		},
		{
			name: "the load balancer takes two connections, and resets all others", proof: reopened(4 * storesPerRow),
			fault: balancerWith(kube.BalancerOptions{MaxConnections: 2}),
		},
	}...)
}

func rotationRows() []row {
	rows := shared(replicated, heldFor,
		row{name: "the API servers' certificates rotated, connections cut", flows: true, fault: again(1500*time.Millisecond, rotated)},
		row{
			name: "the stores' own certificates rotated", longOnly: true, flows: true, user: userWithCertificate, fault: again(3*time.Second, ownRotated),
			proof: proof{"connections opened anew", ofAffected(func(m *member) int64 { return m.http.Dialed.Load() }), 2 * storesPerRow},
		},
	)
	return rows
}
