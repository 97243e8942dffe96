package main

import (
	"context"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A recorder is a Reconciler that notes whom it was called for.
type recorder struct {
	reconcile.Reconciler
	noted func(name string) // nil: nobody else wants to know

	mu    sync.Mutex // protects storing calls
	calls *watch.Var[[]string]
}

func newRecorder(r reconcile.Reconciler) *recorder {
	return &recorder{Reconciler: r, calls: watch.NewVar[[]string](nil)}
}

func (r *recorder) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	result, err := r.Reconciler.Reconcile(ctx, request)
	if r.noted != nil {
		r.noted(request.Name)
		return result, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls.Store(append(slices.Clip(r.calls.Load()), request.Name))
	return result, err
}

// mark returns how many calls there were so far.
func (r *recorder) mark() int { return len(r.calls.Load()) }

// until returns the calls since mark, once each of the names is among them.
func (r *recorder) until(ctx context.Context, mark int, names ...string) ([]string, error) {
	calls, err := r.calls.Wait(ctx, func(calls []string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(calls[mark:], name) })
	})
	if err != nil {
		return nil, err
	}
	return calls[mark:], nil
}
