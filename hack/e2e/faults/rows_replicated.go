package main

import (
	"context"
	"errors"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// replicatedRows are about a control plane as in production, of which a part is gone: three
// members of etcd, two API servers, and HAProxy in front of them.
func replicatedRows() []row {
	const staleAfter = 3 * time.Second
	hold := [2]time.Duration{6 * time.Second, 2 * time.Second}
	rows := []row{
		{name: "the leader of three etcd members killed", flows: true, fault: one(leader, (*kube.Process).Kill)},
		{name: "the leader of three etcd members stopped (SIGSTOP)", fault: one(leader, (*kube.Process).Pause)},
		{name: "a follower of three etcd members stopped (SIGSTOP)", fault: one(follower, (*kube.Process).Pause)},
		{name: "two of three etcd members killed", fault: lasting(killMembers, mendAll)},
		{name: "one of two API servers killed", flows: true, fault: one(first, (*kube.Process).Kill)},
		{
			name: "one of two API servers stopped (SIGSTOP), StaleAfter 3 s", stores: mapstore.Options{StaleAfter: staleAfter},
			fault: one(first, (*kube.Process).Pause),
		},
		{name: "each of two API servers drained (SIGTERM) and started again", longOnly: true, flows: true, fault: lasting(drainEach, nothing)},
		{name: "both API servers killed", cuts: true, notice: killNoticedWithin, fault: lasting(killServers, mendAll)},
		{name: "the load balancer reloaded", flows: true, fault: again(4*time.Second, func(ctx context.Context, b *testbed, _ int) error {
			return b.plane.Balancer.Reload(ctx)
		})},
		{name: "the load balancer killed", cuts: true, notice: killNoticedWithin, fault: one(balancer, (*kube.Process).Kill)},
		{name: "everything restarted in turns, as an upgrade does", longOnly: true, flows: true, fault: lasting(restartEach, nothing)},
	}
	for i := range rows {
		rows[i].plane = replicated
		rows[i].hold = hold
	}
	return rows
}

// A victim is one process of the control plane.
type victim func(context.Context, *testbed) (*kube.Process, error)

func leader(ctx context.Context, b *testbed) (*kube.Process, error) {
	l, _, err := b.plane.Leader(ctx)
	return l, err
}

func follower(ctx context.Context, b *testbed) (*kube.Process, error) {
	_, f, err := b.plane.Leader(ctx)
	return f, err
}

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
