package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// serverRows are about the API server and etcd themselves.
func serverRows() []row {
	// How soon a server that is silent is found depends on StaleAfter.
	const staleAfter = 3 * time.Second
	killed := func(d time.Duration) row {
		return row{
			name: fmt.Sprintf("API server killed for %.0f s", d.Seconds()), plane: breakable,
			fault: kill(apiServer), hold: [2]time.Duration{d, d}, cuts: true, notice: killNoticedWithin,
		}
	}
	stopped := func(name string, victim func(*kube.ControlPlane) *kube.Process) row {
		return row{
			name: name + " stopped (SIGSTOP), StaleAfter 3 s", plane: breakable, stores: mapstore.Options{StaleAfter: staleAfter},
			fault: stop(victim), hold: [2]time.Duration{8 * time.Second, 4 * time.Second}, cuts: true, notice: staleAfter + time.Second,
		}
	}
	return []row{
		killed(time.Second),
		killed(10 * time.Second).onlyLong(),
		killed(40 * time.Second).onlyLong(),
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
	return func(_ context.Context, b *testbed) (func(context.Context) error, error) {
		process := victim(b.plane)
		return func(ctx context.Context) error {
			if err := process.Restart(ctx); err != nil {
				return err
			}
			return b.ready(ctx)
		}, process.Kill()
	}
}

// stop stops the victim, and lets it go on.
func stop(victim func(*kube.ControlPlane) *kube.Process) fault {
	return func(_ context.Context, b *testbed) (func(context.Context) error, error) {
		process := victim(b.plane)
		return func(ctx context.Context) error {
			if err := process.Resume(); err != nil {
				return err
			}
			return b.ready(ctx)
		}, process.Pause()
	}
}
