package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/viper"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A reader is one way to read a map. Its sweep reads so many keys and returns the
// number of bytes of their values: one hot key alone would flatter all caches,
// and a call for each read would cost as much as some of the reads.
type reader struct {
	name  string
	reads int
	sweep func() int
}

const (
	readMap   = "reads"
	readKeys  = 100
	valueSize = 100
)

// Readers that others are compared with.
const (
	ours = "mapstore"
	bare = "atomic pointer + map"
)

// readers returns all ways to read. Closing the returned function ends them.
func (b *bench) readers(ctx context.Context) (_ []reader, _ func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var closers []func()
	closeAll := func() {
		cancel()
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	if err := b.Create(ctx, readMap, readKeys, valueSize); err != nil {
		return nil, nil, err
	}
	clients, err := b.Client()
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, clients.Close)
	store, err := b.Store(ctx, clients, readMap)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, func() { store.Close() })
	informer, wait, err := b.lister(ctx, clients)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, wait)
	cached, waitForCache, err := b.cache(ctx)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, waitForCache)

	names := make([]string, readKeys)
	for i := range names {
		names[i] = rig.Key(i)
	}
	all := inMemory(b.Namespace, names)
	all = append(all, reader{ours, readKeys, func() (n int) {
		for _, name := range names {
			value, _ := store.Get(name)
			n += len(value)
		}
		return n
	}}, reader{"client-go lister", readKeys, func() (n int) {
		for _, name := range names {
			object, _ := informer.Get(readMap)
			n += len(object.Data[name])
		}
		return n
	}}, reader{"controller-runtime cache", readKeys, func() (n int) {
		for _, name := range names {
			var object corev1.ConfigMap
			_ = cached.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: readMap}, &object) // the sum shows it
			n += len(object.Data[name])
		}
		return n
	}}, reader{"live GET", 1, func() int {
		object, err := clients.CoreV1().ConfigMaps(b.Namespace).Get(ctx, readMap, metav1.GetOptions{})
		if err != nil {
			return 0
		}
		return len(object.Data[names[0]])
	}})
	for _, r := range all {
		if n := r.sweep(); n != r.reads*valueSize {
			return nil, nil, fmt.Errorf("%s reads %d bytes, want %d", r.name, n, r.reads*valueSize)
		}
	}
	return all, closeAll, nil
}

// inMemory returns the readers that need no cluster.
func inMemory(namespace string, names []string) []reader {
	data := rig.Object(namespace, readMap, readKeys, valueSize).Data
	var pointer atomic.Pointer[map[string]string]
	pointer.Store(&data)
	var mu sync.RWMutex // protects data, which nobody writes
	v := viper.New()
	k := koanf.New(".")
	untyped := make(map[string]any, len(data))
	for key, value := range data {
		v.Set(key, value)
		untyped[key] = value
	}
	_ = k.Load(confmap.Provider(untyped, "."), nil) // the sum shows it
	return []reader{
		{bare, readKeys, func() (n int) {
			for _, name := range names {
				n += len((*pointer.Load())[name])
			}
			return n
		}},
		{"sync.RWMutex + map", readKeys, func() (n int) {
			for _, name := range names {
				mu.RLock()
				n += len(data[name])
				mu.RUnlock()
			}
			return n
		}},
		{"koanf", readKeys, func() (n int) {
			for _, name := range names {
				n += len(k.String(name))
			}
			return n
		}},
		{"viper", readKeys, func() (n int) {
			for _, name := range names {
				n += len(v.GetString(name))
			}
			return n
		}},
	}
}

type lister interface {
	Get(name string) (*corev1.ConfigMap, error)
}

// lister returns a client-go lister that knows one map, and waits for its end.
func (b *bench) lister(ctx context.Context, clients *rig.Client) (lister, func(), error) {
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0,
		informers.WithNamespace(b.Namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, readMap).String()
		}))
	l := factory.Core().V1().ConfigMaps().Lister().ConfigMaps(b.Namespace)
	factory.StartWithContext(ctx)
	if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		return nil, nil, err
	}
	return l, factory.Shutdown, nil
}

// cache returns controller-runtime's cache of one map, and waits for its end.
func (b *bench) cache(ctx context.Context) (client.Reader, func(), error) {
	c, err := cache.New(b.Plane.Config(), cache.Options{
		ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{b.Namespace: {}},
			Field:      fields.OneTermEqualSelector(metav1.ObjectNameField, readMap),
		}},
	})
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Start(ctx) // the sync shows it
	}()
	wait := func() { <-ended }
	if !c.WaitForCacheSync(ctx) { // only then it has been started
		return nil, nil, errors.New("controller-runtime's cache does not start")
	}
	if err := c.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: readMap}, &corev1.ConfigMap{}); err != nil {
		return nil, nil, err
	}
	return c, wait, nil
}

// serial reads in one goroutine.
func (r reader) serial(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r.sweep()
	}
	r.perRead(b)
}

// parallel reads on all cores at once.
func (r reader) parallel(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.sweep()
		}
	})
	r.perRead(b)
}

const perRead = "ns/read"

func (r reader) perRead(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*r.reads), perRead)
}
