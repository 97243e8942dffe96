package controller

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Changes returns a source of what requests makes of each change that one of the filters
// lets through, or of each change if there are none. It is for WatchesRawSource or Watch.
// [EachKey] and [All] make such a function. It is called once at a time, and also for a
// map that is empty at first, with a Change without keys.
func Changes[R comparable](store *mapstore.Store, requests func(mapstore.Change) []R, filters ...mapstore.Filter) source.TypedSyncingSource[R] {
	return &changes[R]{
		store: store,
		what:  nameOf(store),
		follow: func(enqueue func(func() []R)) *watch.Subscription {
			return store.OnChange(func(change mapstore.Change) { enqueue(func() []R { return requests(change) }) }, filters...).SetName("a controller's source")
		},
		atFirst: func() []R { return requests(mapstore.Change{Old: &mapstore.Snapshot{}, New: store.Snapshot()}) },
	}
}

// FamilyChanges returns a source of what requests makes of each change of a map of the family,
// as [mapstore.Family.OnChange] tells of it: also when a map comes or goes. [EachMap] makes
// such a function.
func FamilyChanges[R comparable](family *mapstore.Family, requests func(name string, change mapstore.Change) []R, filters ...mapstore.Filter) source.TypedSyncingSource[R] {
	return &changes[R]{
		store: family,
		what:  fmt.Sprintf("the ConfigMaps %s in %s", family.Selector(), family.Namespace()),
		follow: func(enqueue func(func() []R)) *watch.Subscription {
			return family.OnChange(func(name string, change mapstore.Change) { enqueue(func() []R { return requests(name, change) }) }, filters...).SetName("a controller's source")
		},
		atFirst: func() []R { return nil },
	}
}

// EachMap makes a request of each map that changes: for a controller with a map for each
// object, such as a tenant.
func EachMap[R comparable](request func(name string) R) func(string, mapstore.Change) []R {
	return func(name string, _ mapstore.Change) []R { return []R{request(name)} }
}

// EachKey makes a request of each key that changes. Keys that belong to one object may
// have the same request, as queues keep only one of those that are the same:
//
//	controller.EachKey(func(key string) reconcile.Request {
//		name, _, _ := strings.Cut(key, ".")
//		return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
//	})
func EachKey[R comparable](request func(key string) R) func(mapstore.Change) []R {
	return func(change mapstore.Change) []R {
		var all []R
		for _, key := range change.Keys() {
			all = append(all, request(key))
		}
		return all
	}
}

// All makes the same request of each change, also of an empty map at first: for a controller
// that reconciles one thing with the whole map.
func All[R comparable](request R) func(mapstore.Change) []R {
	return func(mapstore.Change) []R { return []R{request} }
}

// A Valued is a Value or a Derived of package typed.
type Valued[T any] interface {
	Load() T
	OnChange(fn func(old, new T)) *watch.Subscription
}

// Values returns a source of what requests makes of each change of a Value or a Derived of
// the store. It is called once at a time, and also with what Load returns at first, as old and
// as new. Of a Derived map that has a value for each object, requests may compare the two.
//
// Unlike Changes, it enqueues nothing for a text that is rejected. It never
// misses a value, even if the codec takes so long that nobody waits for it any more.
func Values[T any, R comparable](store *mapstore.Store, value Valued[T], requests func(old, new T) []R) source.TypedSyncingSource[R] {
	return &changes[R]{
		store: store,
		what:  nameOf(store),
		follow: func(enqueue func(func() []R)) *watch.Subscription {
			return value.OnChange(func(old, new T) { enqueue(func() []R { return requests(old, new) }) }).SetName("a controller's source")
		},
		atFirst: func() []R {
			now := value.Load()
			return requests(now, now)
		},
	}
}

// changes is a source of one controller, which starts it, waits for its sync, and begins
// its workers after that.
type changes[R comparable] struct {
	store   SyncingRunnable
	what    string
	follow  func(enqueue func(requests func() []R)) *watch.Subscription
	atFirst func() []R // what to enqueue even if nothing changes

	mu    sync.Mutex // makes calls of the user's function come one at a time; protects queue
	queue workqueue.TypedRateLimitingInterface[R]
}

// Start enqueues what changes until ctx is done.
func (c *changes[R]) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[R]) error {
	c.mu.Lock()
	c.queue = queue
	c.mu.Unlock()
	context.AfterFunc(ctx, c.follow(c.enqueue).Stop)
	return nil
}

// enqueue enqueues what a function returns.
func (c *changes[R]) enqueue(requests func() []R) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range requests() {
		c.queue.Add(r)
	}
}

// WaitForSync returns when the store is synced, and says why if it cannot be.
func (c *changes[R]) WaitForSync(ctx context.Context) error {
	if err := c.store.WaitForSync(ctx); err != nil {
		return err
	}
	c.enqueue(c.atFirst)
	return nil
}

// String names the source in the controller's log and errors.
func (c *changes[R]) String() string {
	return "changes of " + c.what
}

func nameOf(store *mapstore.Store) string {
	return fmt.Sprintf("the ConfigMap %s/%s", store.Namespace(), store.Name())
}
