package main

import (
	"context"
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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
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

// keyNames are those of all keys of the map.
func keyNames() []string {
	names := make([]string, readKeys)
	for i := range names {
		names[i] = rig.Key(i)
	}
	return names
}

// fromStore reads all keys of a store.
func fromStore(store *mapstore.Store) reader {
	names := keyNames()
	return reader{ours, readKeys, func() (n int) {
		for _, name := range names {
			value, _ := store.Get(name)
			n += len(value)
		}
		return n
	}}
}

// slow reads so many keys by a function, beside which a call is nothing.
func slow(by string, keys int, get func(key string) string) reader {
	names := keyNames()[:keys]
	return reader{by, keys, func() (n int) {
		for _, name := range names {
			n += len(get(name))
		}
		return n
	}}
}

// readers returns all ways to read. Calling the returned function ends them.
func (b *bench) readers(ctx context.Context) (_ []reader, _ func(), err error) {
	var closers []func()
	closeAll := func() {
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
	process, err := b.Process(ctx, readMap)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, process.Close)
	lister, stop, err := b.informer(ctx, process.Client, readMap)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, stop)
	cached, stop, err := b.cache(ctx, readMap)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, stop)

	all := append(inMemory(keyNames()), fromStore(process.Store), slow("client-go lister", readKeys, func(key string) string {
		object, _ := lister.Get(readMap)
		return object.Data[key]
	}), slow("controller-runtime cache", readKeys, func(key string) string {
		var object corev1.ConfigMap
		_ = cached.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: readMap}, &object) // the sum shows it
		return object.Data[key]
	}), slow("live GET", 1, func(key string) string {
		object, err := process.Client.CoreV1().ConfigMaps(b.Namespace).Get(ctx, readMap, metav1.GetOptions{})
		if err != nil {
			return "" // likewise
		}
		return object.Data[key]
	}))
	for _, r := range all {
		if n := r.sweep(); n != r.reads*valueSize {
			return nil, nil, fmt.Errorf("%s reads %d bytes, want %d", r.name, n, r.reads*valueSize)
		}
	}
	return all, closeAll, nil
}

// inMemory returns the readers that need no cluster.
func inMemory(names []string) []reader {
	data := rig.Object("", readMap, readKeys, valueSize).Data
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
		slow("koanf", readKeys, k.String),
		slow("viper", readKeys, v.GetString),
	}
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
