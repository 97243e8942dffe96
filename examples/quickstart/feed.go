package main

import (
	"context"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A feed prints what a store tells its subscribers, as it arrives.
type feed struct {
	subscription *watch.Subscription
	printed      *watch.Var[mapstore.Change] // the last one
}

func newFeed(store *mapstore.Store, who string, console *console) *feed {
	printed := watch.NewVar(mapstore.Change{New: &mapstore.Snapshot{}})
	subscription := store.OnChange(func(change mapstore.Change) {
		for key, delta := range change.Deltas() {
			console.delta(who, key, delta)
		}
		printed.Store(change)
	})
	return &feed{subscription, printed}
}

// reach returns once the feed has printed a Change that leads to revision or
// further, with that Change.
func (f *feed) reach(ctx context.Context, revision string) (mapstore.Change, error) {
	return f.printed.Wait(ctx, func(change mapstore.Change) bool {
		order, err := resourceversion.CompareResourceVersion(change.New.Revision(), revision)
		return err == nil && order >= 0
	})
}

func (f *feed) stop() { f.subscription.Stop() }
