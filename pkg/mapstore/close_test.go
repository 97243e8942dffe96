package mapstore_test

import (
	"sync"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// Callbacks of two stores, and of two Values, that each close both at the same moment do
// not wait for each other.
func TestCallbacksThatCloseEachOthersStoresDoNotWait(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	stores := []*mapstore.Store{api.Open(t, "a", mapstore.Options{}), api.Open(t, "b", mapstore.Options{})}
	var all, ended sync.WaitGroup
	all.Add(4)
	ended.Add(4)
	var values []*typed.Value[string]
	for _, store := range stores {
		set(t, store, "k", "v")
		values = append(values, typed.Bind(store, "k", typed.String[string](), ""))
	}
	for i, store := range stores {
		store.OnChange(func(mapstore.Change) {
			defer ended.Done()
			all.Done()
			all.Wait()
			for _, other := range stores {
				other.Close()
			}
		})
		values[i].OnChange(func(_, _ string) {
			defer ended.Done()
			all.Done()
			all.Wait()
			for _, other := range values {
				other.Close()
			}
		})
	}
	ended.Wait()
	for _, store := range stores {
		store.Close()
	}
}
