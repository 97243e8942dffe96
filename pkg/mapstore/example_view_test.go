package mapstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// An index that is made anew for each version: which keys has each owner?
func ExampleStore_Attach() {
	ctx := context.Background()
	store := open("owners")
	defer store.Close()

	index := watch.NewVar(map[string][]string{})
	view := &mapstore.View{
		Name: "keys by owner",
		Var:  index,
		See: func(now *mapstore.Snapshot) {
			keys := make(map[string][]string)
			for key, owner := range now.All() {
				keys[owner] = append(keys[owner], key)
			}
			index.Store(keys)
		},
	}
	store.Attach(view)
	defer view.Detach()

	if _, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("shard-1", "ann")
		tx.Set("shard-2", "bob")
		tx.Set("shard-3", "ann")
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	keys, err := index.Wait(ctx, func(keys map[string][]string) bool { return len(keys) > 0 })
	fmt.Println(keys["ann"], err)
	// Output: [shard-1 shard-3] <nil>
}
