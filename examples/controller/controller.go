package main

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// tier is the label of a Deployment that names its key in the map, and the index of it.
const tier = "tier"

// A scaler gives each Deployment the replicas that the map has for its tier.
type scaler struct {
	client.Client
	replicas *mapstore.Store
}

// Reconcile leaves a Deployment as it is when the map has no key for it; so a map
// that somebody deletes does no harm.
func (s *scaler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var deployment appsv1.Deployment
	if err := s.Get(ctx, request.NamespacedName, &deployment); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	key := deployment.Labels[tier]
	value, ok := s.replicas.Get(key) // from memory, so there is no error to handle
	if !ok {
		return reconcile.Result{}, nil
	}
	replicas, err := strconv.ParseUint(value, 10, 31)
	if err != nil { // not shown, as it quotes the value; the next change of the key enqueues again
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("the value of %q is not a number of replicas", key))
	}
	if *deployment.Spec.Replicas == int32(replicas) {
		return reconcile.Result{}, nil
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: int32(replicas)}}
	return reconcile.Result{}, s.SubResource("scale").Update(ctx, &deployment, client.WithSubResourceBody(scale))
}

// watchBoth has r called for each Deployment that changes, and for those that a
// change of the map concerns.
func watchBoth(ctx context.Context, mgr manager.Manager, store *mapstore.Store, r reconcile.Reconciler) error {
	tierOf := func(o client.Object) []string { return []string{o.GetLabels()[tier]} }
	if err := mgr.GetFieldIndexer().IndexField(ctx, &appsv1.Deployment{}, tier, tierOf); err != nil {
		return err
	}
	return builder.ControllerManagedBy(mgr).Named("scaler").For(&appsv1.Deployment{}).WatchesRawSource(&mapSource{store, mgr}).Complete(r)
}

// A mapSource is the map as a source of requests.
type mapSource struct {
	store *mapstore.Store
	mgr   manager.Manager
}

// WaitForSync holds back the first Reconcile until the map is known. Until then
// every key would seem to be missing.
func (s *mapSource) WaitForSync(ctx context.Context) error { return s.store.WaitForSync(ctx) }

// Start enqueues the Deployments of each tier whose key changes. One that is made
// or labelled in that moment is enqueued by its own event.
func (s *mapSource) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	subscription := s.store.OnChange(func(change mapstore.Change) {
		for _, key := range change.Keys() {
			var concerned appsv1.DeploymentList // from the manager's cache
			if err := s.mgr.GetClient().List(ctx, &concerned, client.MatchingFields{tier: key}); err != nil {
				s.mgr.GetLogger().Error(err, "Cannot tell whom a change concerns", "key", key)
			}
			for i := range concerned.Items {
				queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&concerned.Items[i])})
			}
		}
	})
	context.AfterFunc(ctx, subscription.Stop)
	return nil
}

func (s *mapSource) String() string { return "the map of replicas" }
