package main

import (
	"errors"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	storemetrics "github.com/unrolled/mapstore/metrics/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// newManager returns a manager that runs a store for the map name, and serves what
// probes and Prometheus ask for.
func newManager(config *rest.Config, namespace, name string, opts manager.Options) (manager.Manager, *mapstore.Store, error) {
	opts.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	mgr, err := manager.New(config, opts)
	if err != nil {
		return nil, nil, err
	}
	clientset, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient()) // one connection for both
	if err != nil {
		return nil, nil, err
	}
	store, err := mapstore.New(clientset, namespace, name, mapstore.Options{Logger: mgr.GetLogger()})
	if err != nil {
		return nil, nil, err
	}
	return mgr, store, errors.Join(
		mgr.Add(store),
		metrics.Registry.Register(storemetrics.NewCollector(store)),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck(name, store.Check),
	)
}
