package main

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unrolled/mapstore/controller/v2"
	storemetrics "github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// newManager returns a manager that runs a store and a controller which reads it.
func newManager(config *rest.Config, namespace string, opts manager.Options) (manager.Manager, error) {
	opts.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	mgr, err := manager.New(config, opts)
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient()) // one connection for both
	if err != nil {
		return nil, err
	}
	store, err := mapstore.New(clientset, namespace, mapName, mapstore.Options{Logger: mgr.GetLogger()})
	if err != nil {
		return nil, err
	}
	return mgr, errors.Join(
		controller.Add(mgr, store), // on every replica, leader or not
		mgr.AddReadyzCheck(mapName, store.Check),
		metrics.Registry.Register(storemetrics.NewCollector(store)),
		builder.ControllerManagedBy(mgr).Named("scaler").
			For(&appsv1.Deployment{}).
			WatchesRawSource(controller.Changes(store, controller.EachKey(ofKey(namespace)))).
			Complete(&scaler{mgr.GetClient(), store}),
	)
}

// ofKey returns the request for the Deployment that a key names.
func ofKey(namespace string) func(key string) reconcile.Request {
	return func(key string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: key}}
	}
}

// A scaler gives each Deployment the replicas that the map has under its name.
type scaler struct {
	client.Client
	store *mapstore.Store
}

// replicas is how a key's text is read.
var replicas = typed.Int[int32]().Validate(func(n int32) error {
	if n < 0 {
		return typed.Reject("is negative")
	}
	return nil
})

// Reconcile leaves a Deployment as it is when the map has no key for it; so a map that
// somebody deletes does no harm.
func (s *scaler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var deployment appsv1.Deployment
	if err := s.Get(ctx, request.NamespacedName, &deployment); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	is := *deployment.Spec.Replicas
	want, err := replicas.From(s.store.Snapshot(), request.Name, is) // from memory, in nanoseconds
	if err != nil {
		return reconcile.Result{}, reconcile.TerminalError(err) // a change of the key comes back here
	}
	if want == is {
		return reconcile.Result{}, nil
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: want}}
	return reconcile.Result{}, s.SubResource("scale").Update(ctx, &deployment, client.WithSubResourceBody(scale))
}
