package main

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	v1 "k8s.io/client-go/listers/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// named selects one map.
func named(name string) fields.Selector {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name)
}

// informer starts a client-go informer for one map.
func (b *bench) informer(ctx context.Context, clients kubernetes.Interface, name string) (lister v1.ConfigMapNamespaceLister, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0,
		informers.WithNamespace(b.Namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = named(name).String() }))
	lister = factory.Core().V1().ConfigMaps().Lister().ConfigMaps(b.Namespace)
	factory.StartWithContext(ctx)
	stop = func() {
		cancel()
		factory.Shutdown()
	}
	if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		stop()
		return nil, nil, err
	}
	return lister, stop, nil
}

// cache starts controller-runtime's cache of one map.
func (b *bench) cache(ctx context.Context, name string) (_ client.Reader, stop func(), err error) {
	c, err := cache.New(b.Plane.Config(), cache.Options{
		ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{b.Namespace: {}},
			Field:      named(name),
		}},
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Start(ctx) // the sync shows it
	}()
	stop = func() {
		cancel()
		<-ended
	}
	if !c.WaitForCacheSync(ctx) { // only then it has been started
		err = errors.New("controller-runtime's cache does not start")
	} else {
		err = c.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: name}, &corev1.ConfigMap{})
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}
