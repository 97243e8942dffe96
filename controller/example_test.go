package controller_test

import (
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unrolled/mapstore/controller/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Keys such as web.replicas and web.class enqueue the object that they begin with.
func ExampleChanges() {
	setup := func(mgr manager.Manager, store *mapstore.Store, reconciler reconcile.Reconciler) error {
		if err := controller.Add(mgr, store); err != nil {
			return err
		}
		byName := func(key string) reconcile.Request {
			name, _, _ := strings.Cut(key, ".")
			return named(name)
		}
		return builder.ControllerManagedBy(mgr).Named("scaler").
			WatchesRawSource(controller.Changes(store, controller.EachKey(byName))).
			Complete(reconciler)
	}
	_ = setup
}

// A map for each tenant, and a request for each map that changes.
func ExampleFamilyChanges() {
	setup := func(mgr manager.Manager, family *mapstore.Family, reconciler reconcile.Reconciler) error {
		if err := controller.Add(mgr, family); err != nil {
			return err
		}
		return builder.ControllerManagedBy(mgr).Named("tenants").
			WatchesRawSource(controller.FamilyChanges(family, controller.EachMap(named))).
			Complete(reconciler)
	}
	_ = setup
}
