package controller

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Add lets the manager run the store as it runs its caches: on every replica, leader or
// not, from before the first controller begins until the last one has ended. So a
// Reconcile finds the store synced, and one that finishes while the manager ends can still
// write.
//
// If the store cannot be synced, because the server denies access or a map that must exist
// does not, the manager ends with that error. While the server cannot be reached, the
// manager waits.
//
// A family is run in the same way, with all its stores.
//
// Without Add, mgr.Add(store) would end the store before the reconcilers, whose last
// writes would fail with [mapstore.ErrClosed].
func Add(mgr manager.Manager, store SyncingRunnable) error {
	return errors.Join(mgr.Add(runner{store}), mgr.Add(&gate{store: store, answered: make(chan struct{})}))
}

// A SyncingRunnable is a [mapstore.Store] or a [mapstore.Family].
type SyncingRunnable interface {
	manager.Runnable
	manager.LeaderElectionRunnable
	WaitForSync(ctx context.Context) error
}

var (
	_ SyncingRunnable = &mapstore.Store{}
	_ SyncingRunnable = &mapstore.Family{}
)

// The two count as caches of the manager, as they have a GetCache. It starts caches before
// all controllers, waits for their sync, and ends them after all controllers.
var (
	_ interface{ GetCache() cache.Cache } = runner{}
	_ interface{ GetCache() cache.Cache } = &gate{}
)

// A runner runs the store for as long as the manager's caches run.
type runner struct{ SyncingRunnable }

// GetCache returns a cache that is always synced: see gate.
func (runner) GetCache() cache.Cache { return synced{wait: func(context.Context) bool { return true }} }

// A gate holds the controllers back until the store is synced, or ends the manager.
type gate struct {
	store    SyncingRunnable
	answered chan struct{} // closed when it is clear whether the store can be synced
}

// Start returns an error if the store cannot be synced.
func (g *gate) Start(ctx context.Context) error {
	defer close(g.answered)
	if err := g.store.WaitForSync(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// GetCache returns what the manager asks whether the store is synced. If it cannot be, the
// answer is yes too: the manager would wait for ever otherwise, and not take Start's error.
func (g *gate) GetCache() cache.Cache {
	return synced{wait: func(ctx context.Context) bool {
		select {
		case <-g.answered:
			return true
		case <-ctx.Done():
			return false
		}
	}}
}

// synced is a cache in one respect only.
type synced struct {
	cache.Cache // nil
	wait        func(context.Context) bool
}

// WaitForCacheSync is what the manager calls.
func (s synced) WaitForCacheSync(ctx context.Context) bool { return s.wait(ctx) }
