package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// serverRows are about the API server and etcd themselves.
func serverRows() []row {
	// How soon a server that is silent is found depends on StaleAfter.
	const staleAfter = 3 * time.Second
	killed := func(d time.Duration, longOnly bool) row {
		return row{
			name: fmt.Sprintf("API server killed for %.0f s", d.Seconds()), longOnly: longOnly, plane: breakable,
			fault: kill(apiServer), hold: [2]time.Duration{d, d}, cuts: true, notice: killNoticedWithin,
		}
	}
	stopped := func(name string, victim func(*kube.ControlPlane) *kube.Process) row {
		return row{
			name: name + " stopped (SIGSTOP), StaleAfter 3 s", plane: breakable, stores: mapstore.Options{StaleAfter: staleAfter},
			fault: stop(victim), hold: [2]time.Duration{8 * time.Second, time.Second}, cuts: true, notice: staleAfter + time.Second,
		}
	}
	// An API server that has just been started knows of no rights for a second or two,
	// and denies everything.
	restarted := killed(time.Second, false)
	restarted.user = userWithRights
	return []row{
		restarted,
		killed(10*time.Second, true),
		killed(40*time.Second, true),
		{
			name: "etcd killed under load", plane: breakable, fault: kill(etcd),
			hold: [2]time.Duration{5 * time.Second, time.Second},
		},
		stopped("API server", apiServer),
		stopped("etcd", etcd),
	}
}

func apiServer(plane *kube.ControlPlane) *kube.Process { return plane.APIServer }
func etcd(plane *kube.ControlPlane) *kube.Process      { return plane.Etcd }

// kill kills the victim, and starts it again.
func kill(victim func(*kube.ControlPlane) *kube.Process) fault {
	return lasting(func(_ context.Context, b *testbed) error { return victim(b.plane).Kill() }, func(ctx context.Context, b *testbed) error {
		return errors.Join(victim(b.plane).Restart(ctx), b.ready(ctx))
	})
}

// stop stops the victim, and lets it go on.
func stop(victim func(*kube.ControlPlane) *kube.Process) fault {
	return lasting(func(_ context.Context, b *testbed) error { return victim(b.plane).Pause() }, func(ctx context.Context, b *testbed) error {
		return errors.Join(victim(b.plane).Resume(), b.ready(ctx))
	})
}
