package scale

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A way is a way to follow many maps. Follow returns once all are there, and calls seen with
// each change that it is told of, from any goroutine.
type way struct {
	name   string
	most   int // maps; 0: any number
	follow func(ctx context.Context, m *manyMaps, seen func(name, value string)) (stop func(), err error)
}

var ways = []way{
	{"a Family", 0, func(ctx context.Context, m *manyMaps, seen func(string, string)) (func(), error) {
		family, err := mapstore.NewFamily(m.client, m.Namespace, m.selector(), mapstore.Options{})
		if err != nil {
			return nil, err
		}
		family.OnChange(func(name string, c mapstore.Change) {
			v, _ := c.New.Get(oneKey)
			seen(name, v)
		})
		go family.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the family was closed before
		return func() { family.Close() }, family.WaitForSync(ctx)
	}},
	{"a store each", 1000, func(ctx context.Context, m *manyMaps, seen func(string, string)) (func(), error) {
		stores := make([]*mapstore.Store, m.maps)
		for i := range stores {
			var err error
			if stores[i], err = mapstore.New(m.client, m.Namespace, m.name(i), mapstore.Options{}); err != nil {
				return nil, err
			}
			stores[i].OnChange(func(c mapstore.Change) {
				v, _ := c.New.Get(oneKey)
				seen(stores[i].Name(), v)
			})
			go stores[i].Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was closed before
		}
		for _, s := range stores {
			if err := s.WaitForSync(ctx); err != nil {
				return nil, err
			}
		}
		return func() {
			for _, s := range stores {
				s.Close()
			}
		}, nil
	}},
	{"SharedInformerFactory", 0, func(ctx context.Context, m *manyMaps, seen func(string, string)) (func(), error) {
		ctx, cancel := context.WithCancel(ctx)
		factory := informers.NewSharedInformerFactoryWithOptions(m.client, 0, informers.WithNamespace(m.Namespace),
			informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = m.selector() }))
		told := func(object any) {
			if cm, ok := object.(*corev1.ConfigMap); ok {
				seen(cm.Name, cm.Data[oneKey])
			}
		}
		if _, err := factory.Core().V1().ConfigMaps().Informer().AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: told, UpdateFunc: func(_, object any) { told(object) },
		}); err != nil {
			cancel()
			return nil, err
		}
		factory.StartWithContext(ctx)
		return func() { cancel(); factory.Shutdown() }, factory.WaitForCacheSyncWithContext(ctx).AsError()
	}},
	{"controller-runtime's cache", 0, func(ctx context.Context, m *manyMaps, seen func(string, string)) (func(), error) {
		selector, err := metav1.ParseToLabelSelector(m.selector())
		if err != nil {
			return nil, err
		}
		matching, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return nil, err
		}
		config := m.Plane.Config()
		config.Wrap(m.client.Counting)
		c, err := cache.New(config, cache.Options{
			DefaultNamespaces: map[string]cache.Config{m.Namespace: {}},
			ByObject:          map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {Label: matching}},
		})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = c.Start(ctx) // the sync shows it
		}()
		stop := func() { cancel(); <-ended }
		informer, err := c.GetInformer(ctx, &corev1.ConfigMap{})
		if err != nil {
			return stop, err
		}
		told := func(object any) {
			if cm, ok := object.(*corev1.ConfigMap); ok {
				seen(cm.Name, cm.Data[oneKey])
			}
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: told, UpdateFunc: func(_, object any) { told(object) }})
		return stop, err
	}},
}
