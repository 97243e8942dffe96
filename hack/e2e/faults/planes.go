package main

import (
	"context"
	"errors"
	"sync"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// planeKind says which control plane a row runs on.
type planeKind int

const (
	steady    planeKind = iota // shared by rows that leave it alone, several at a time
	breakable                  // shared by rows that break and mend it, one at a time
	own                        // of the row
)

// Planes are the control planes of a run, each started when it is first needed.
type planes struct {
	breaking sync.Mutex // held by the row that uses the breakable one

	mu     sync.Mutex // protects shared
	shared map[planeKind]*kube.ControlPlane
}

// get returns the row's control plane. It is the row's until release is called.
func (p *planes) get(ctx context.Context, r *row) (_ *kube.ControlPlane, release func() error, err error) {
	switch r.plane {
	case own:
		plane, err := kube.Start(ctx, r.options)
		if err != nil {
			return nil, nil, err
		}
		return plane, plane.Stop, nil
	case breakable:
		p.breaking.Lock()
		plane, err := p.sharedPlane(ctx, breakable)
		if err != nil {
			p.breaking.Unlock()
			return nil, nil, err
		}
		return plane, func() error {
			p.breaking.Unlock()
			return nil
		}, nil
	default:
		plane, err := p.sharedPlane(ctx, steady)
		return plane, func() error { return nil }, err
	}
}

func (p *planes) sharedPlane(ctx context.Context, kind planeKind) (*kube.ControlPlane, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if plane := p.shared[kind]; plane != nil {
		return plane, nil
	}
	plane, err := kube.Start(ctx, kube.Options{})
	if err != nil {
		return nil, err
	}
	if p.shared == nil {
		p.shared = make(map[planeKind]*kube.ControlPlane)
	}
	p.shared[kind] = plane
	return plane, nil
}

// versions returns those of Kubernetes and etcd.
func (p *planes) versions(ctx context.Context) (kubernetes, etcd string, err error) {
	plane, err := p.sharedPlane(ctx, steady)
	if err != nil {
		return "", "", err
	}
	return plane.Versions(ctx)
}

func (p *planes) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, plane := range p.shared {
		errs = append(errs, plane.Stop())
	}
	return errors.Join(errs...)
}
