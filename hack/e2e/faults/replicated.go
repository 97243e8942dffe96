package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
)

// What the rows of replicatedRows do to a control plane as in production.

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
