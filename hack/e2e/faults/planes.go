package main

import (
	"context"
	"errors"
	"sync"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// planeKind says which control plane a row runs on. All rows of a kind share one:
// those that are steady several at a time, others one after the other.
type planeKind int

const (
	steady     planeKind = iota // nobody breaks it
	breakable                   // the row breaks it, and mends it
	fickle                      // it forgets, and sends its clients away
	replicated                  // it has several of each, and the row breaks some
	outdated                    // likewise, with API servers of the oldest version
	kinds
)

// isReplicated reports whether it is as in production.
func (k planeKind) isReplicated() bool { return k >= replicated }

// optionsOf are those of the control planes. Without its watch cache the API server
// asks etcd, which has forgotten what was compacted away.
var optionsOf = map[planeKind]kube.Options{
	outdated: {Oldest: true},
	fickle:   {APIServerArgs: []string{"--watch-cache=false", "--goaway-chance=0.02"}},
}

// Planes are the control planes of a run, each started when it is first needed.
type planes struct {
	places chan struct{} // one for each row that may run at the same time
	shared [kinds]struct {
		using sync.Mutex // held by the row that uses one which is not steady

		mu    sync.Mutex // protects plane
		plane *kube.ControlPlane
	}
}

func newPlanes(parallel int) *planes { return &planes{places: make(chan struct{}, parallel)} }

// get returns a control plane. It is the row's until release is called.
func (p *planes) get(ctx context.Context, kind planeKind) (_ *kube.ControlPlane, release func(), err error) {
	shared := &p.shared[kind]
	if kind != steady {
		shared.using.Lock()
	}
	p.places <- struct{}{}
	release = func() {
		<-p.places
		if kind != steady {
			shared.using.Unlock()
		}
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.plane == nil {
		start := kube.Start
		if kind.isReplicated() {
			start = kube.StartReplicated
		}
		shared.plane, err = start(ctx, optionsOf[kind])
	}
	return shared.plane, release, err
}

// versions returns those of Kubernetes and etcd.
func (p *planes) versions(ctx context.Context) (kubernetes, etcd string, err error) {
	plane, release, err := p.get(ctx, steady)
	defer release()
	if err != nil {
		return "", "", err
	}
	return plane.Versions(ctx)
}

// stop ends those that have been started, when no row uses them any more.
func (p *planes) stop() error {
	var errs []error
	for kind := range p.shared {
		if plane := p.shared[kind].plane; plane != nil {
			errs = append(errs, plane.Stop())
		}
	}
	return errors.Join(errs...)
}
