package typed_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func TestAClosedValueStaysAsItWas(t *testing.T) {
	for name, end := range map[string]func(*mapstore.Store) *typed.Value[int]{
		"closed": func(store *mapstore.Store) *typed.Value[int] {
			v := typed.Bind(store, "n", typed.Int[int](), 7)
			v.Close()
			return v
		},
		"bound to a store that is closed": func(store *mapstore.Store) *typed.Value[int] {
			store.Close()
			return typed.Bind(store, "n", typed.Int[int](), 7)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				store := open(t, api)
				set(t, store, "n", "5")
				v := end(store)
				v.OnChange(func(_, _ int) { t.Error("a callback ran") })
				api.ConfigMap("default", "settings").Set("n", "bad")
				synctest.Wait()
				if v.Load() != 5 || v.Err() != nil {
					t.Errorf("%d, %v", v.Load(), v.Err())
				}
				if err := v.Set(t.Context(), 6); !errors.Is(err, mapstore.ErrClosed) {
					t.Errorf("Set: %v", err)
				}
				if got := store.Stats().Subscriptions; got != 0 || store.Status().Rejected != nil {
					t.Errorf("%d subscriptions are left, and %v", got, store.Status().Rejected)
				}
				v.Close()
			})
		})
	}
}

// Two callbacks close the store at the same moment, each from inside itself.
func TestCallbacksOfValuesMayCloseTheStore(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	store, other := open(t, api), open(t, api)
	var closers sync.WaitGroup
	closers.Add(2)
	var running atomic.Int32
	for range 2 {
		typed.Bind(store, "n", typed.Int[int](), 0).OnChange(func(_, _ int) {
			running.Add(1)
			defer running.Add(-1)
			closers.Done()
			closers.Wait()
			store.Close()
		})
	}
	set(t, other, "n", "1")
	closers.Wait()
	store.Close()
	if running.Load() != 0 {
		t.Error("a callback is running after Close")
	}
}
