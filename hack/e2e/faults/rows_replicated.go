package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
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
			inside: true, fresh: freshWithin, fault: within(balancerWith(kube.BalancerOptions{CutsDown: true}), cutOff(0)),
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
			proof: reopened(2 * storesPerRow), fault: within(unloaded, balancerWith(kube.BalancerOptions{IdleTimeout: 5 * time.Second})),
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

// A victim is one process of the control plane.
type victim func(context.Context, *testbed) (*kube.Process, error)

func first(_ context.Context, b *testbed) (*kube.Process, error) { return b.plane.Servers[0], nil }

func balancer(_ context.Context, b *testbed) (*kube.Process, error) {
	return b.plane.Balancer.Process, nil
}

// one does something to a victim, and mends it.
func one(of victim, do func(*kube.Process) error) fault {
	return lasting(func(ctx context.Context, b *testbed) error {
		p, err := of(ctx, b)
		if err != nil {
			return err
		}
		return do(p)
	}, mendAll)
}

// led does something to member 1 of etcd, when this member leads: none that the first API server
// depends on alone.
func led(leader int, do func(*kube.Process) error) fault {
	return lasting(func(ctx context.Context, b *testbed) error {
		if err := b.plane.MakeLeader(ctx, leader); err != nil {
			return err
		}
		return do(b.plane.Members[1])
	}, mendAll)
}

// within lets one fault begin after another, and end before it.
func within(outer, inner fault) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		liftOuter, err := outer(ctx, b)
		if err != nil {
			return nil, err
		}
		liftInner, err := inner(ctx, b)
		if err != nil {
			return nil, errors.Join(err, liftOuter(ctx))
		}
		return func(ctx context.Context) error { return errors.Join(liftInner(ctx), liftOuter(ctx)) }, nil
	}
}

// unloaded lets nobody write.
func unloaded(_ context.Context, b *testbed) (func(context.Context) error, error) {
	b.load.stop()
	return func(context.Context) error { b.startLoad(b.load.pace); return nil }, nil
}

func balancerWith(opts kube.BalancerOptions) fault {
	configure := func(opts kube.BalancerOptions) func(context.Context, *testbed) error {
		return func(ctx context.Context, b *testbed) error { return b.plane.Balancer.Configure(ctx, opts) }
	}
	return lasting(configure(opts), configure(kube.BalancerOptions{}))
}

// healPeers mends the network of etcd, and returns when the first API server serves again.
func healPeers(ctx context.Context, b *testbed) error {
	b.plane.Peers.Heal()
	first, err := b.serverClient(0)
	if err != nil {
		return err
	}
	return rig.Until(ctx, rig.Patience, func() bool { return b.get(ctx, first, "") == nil })
}

// serverClient returns a client of one API server, by no balancer.
func (b *testbed) serverClient(i int) (*rig.Client, error) {
	config := b.plane.Config()
	config.Host = b.plane.ServerURL(i)
	client, err := rig.NewClient(config, nil)
	if err == nil {
		b.onClose(client.Cut)
	}
	return client, err
}

// get reads the map: by a quorum, or, with the revision "0", from the server's cache.
func (b *testbed) get(ctx context.Context, client *rig.Client, revision string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := client.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{ResourceVersion: revision})
	return err
}

// answersByItsCache holds of the first API server when its etcd is cut off. The writes of who is
// at the second go on.
func answersByItsCache(ctx context.Context, b *testbed) error {
	client, err := b.serverClient(0)
	if err != nil {
		return err
	}
	if err := b.get(ctx, client, "0"); err != nil {
		return fmt.Errorf("the cache does not answer: %w", err)
	}
	if b.get(ctx, client, "") == nil {
		return errors.New("etcd answers, and should be cut off")
	}
	return expectLoad(ctx, "at the other API server", enough/2, b.members[len(b.members)-1:])
}

// refuses holds when there is no quorum.
func refuses(ctx context.Context, b *testbed) error {
	if b.get(ctx, b.admin, "") == nil {
		return errors.New("the server answers by a quorum that there is not")
	}
	return nil
}

// lagging makes the first member of etcd late, and sends the stores from one API server to
// another again and again.
func lagging(lag time.Duration, behind *atomic.Int64) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		client, err := b.serverClient(0)
		if err != nil {
			return nil, err
		}
		if err := b.plane.MakeLeader(ctx, 1); err != nil {
			return nil, err
		}
		b.plane.Peers.Delay(0, lag)
		stop, err := again(700*time.Millisecond, func(ctx context.Context, b *testbed, _ int) error {
			for _, m := range b.affected() {
				if b.isBehind(ctx, client, m) {
					behind.Add(1)
				}
				m.http.Cut()
			}
			return nil
		})(ctx, b)
		return func(ctx context.Context) error { return errors.Join(stop(ctx), healPeers(ctx, b)) }, err
	}
}

// mendAll resumes what is stopped, starts what does not run, and returns when all is ready.
func mendAll(ctx context.Context, b *testbed) error {
	all := append(append([]*kube.Process{}, b.plane.Members...), b.plane.Servers...)
	all = append(all, b.plane.Balancer.Process)
	var gone []*kube.Process
	for _, p := range all {
		if p.Resume() != nil { // it does not run
			gone = append(gone, p)
		}
	}
	errs := make(chan error, len(gone))
	for _, p := range gone { // at once, as most members of etcd have to run before one is ready
		go func() { errs <- p.Restart(ctx) }()
	}
	var err error
	for range gone {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, b.ready(ctx))
}

func killMembers(_ context.Context, b *testbed) error {
	return errors.Join(b.plane.Members[0].Kill(), b.plane.Members[1].Kill())
}

func killServers(_ context.Context, b *testbed) error {
	return errors.Join(b.plane.Servers[0].Kill(), b.plane.Servers[1].Kill())
}

func drainEach(ctx context.Context, b *testbed) error {
	for _, server := range b.plane.Servers {
		if err := errors.Join(server.Terminate(ctx), server.Restart(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func restartEach(ctx context.Context, b *testbed) error {
	for _, member := range b.plane.Members {
		if err := errors.Join(member.Terminate(ctx), member.Restart(ctx)); err != nil {
			return err
		}
	}
	return errors.Join(drainEach(ctx, b), b.plane.Balancer.Reload(ctx))
}

func upgrade(ctx context.Context, b *testbed) error {
	client, err := b.serverClient(0)
	if err != nil {
		return err
	}
	before, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	if err := b.plane.Upgrade(ctx); err != nil {
		return err
	}
	after, err := client.Discovery().ServerVersion()
	if err == nil {
		b.note(before.GitVersion + " to " + after.GitVersion)
	}
	return err
}

// rotated lets each store meet the servers' new certificates.
func rotated(ctx context.Context, b *testbed, _ int) error {
	if err := b.plane.RotateServing(ctx); err != nil {
		return err
	}
	for _, m := range b.affected() {
		m.http.Cut()
	}
	return nil
}

// userWithCertificate is an administrator by a certificate in files, which client-go looks at
// every second: by default it does so every five minutes.
func userWithCertificate(_ context.Context, b *testbed) (*rest.Config, error) {
	transport.CertCallbackRefreshDuration = time.Second
	if b.certificates == "" {
		dir, err := os.MkdirTemp("", "mapstore-faults-")
		if err != nil {
			return nil, err
		}
		b.onClose(func() { _ = os.RemoveAll(dir) })
		b.certificates = dir
	}
	config := b.plane.Config()
	config.BearerToken = ""
	config.CertFile, config.KeyFile = filepath.Join(b.certificates, "crt"), filepath.Join(b.certificates, "key")
	return config, b.plane.ClientCertificate(config.CertFile, config.KeyFile, "admin", "system:masters")
}

func ownRotated(ctx context.Context, b *testbed, _ int) error {
	_, err := userWithCertificate(ctx, b)
	return err
}
