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

func TestBindToAClosedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, mapstoretest.NewAPI(t))
		set(t, store, "n", "5")
		store.Close()
		v := typed.Bind(store, "n", typed.Int[int](), 7)
		v.OnChange(func(_, _ int) { t.Error("a callback ran") })
		synctest.Wait()
		if v.Load() != 5 || v.Err() != nil {
			t.Errorf("%d, %v", v.Load(), v.Err())
		}
		if err := v.Set(t.Context(), 6); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("Set: %v", err)
		}
		v.Close()
	})
}

func TestAClosedValueStaysAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, mapstoretest.NewAPI(t))
		set(t, store, "n", "bad")
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		v.OnChange(func(_, _ int) { t.Error("a callback ran after Close") })
		v.Close()
		v.Close()
		set(t, store, "n", "1")
		synctest.Wait()
		if v.Load() != 0 || v.Err() == nil {
			t.Errorf("a closed Value: %d, %v", v.Load(), v.Err())
		}
		if err := v.Set(t.Context(), 2); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("Set on a closed Value: %v", err)
		}
		if rejected := store.Status().Rejected; rejected != nil {
			t.Errorf("Status has %v of a closed Value", rejected)
		}
		if got := store.Stats().Subscriptions; got != 0 {
			t.Errorf("%d subscriptions are left", got)
		}
	})
}

// Two callbacks close the store at the same moment, each from inside itself.
func TestCallbacksOfValuesMayCloseTheStore(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	store, other := open(t, api), open(t, api)
	var closers sync.WaitGroup
	closers.Add(2)
	var running atomic.Int32
	var values []*typed.Value[int]
	for range 2 {
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		values = append(values, v)
		v.OnChange(func(_, _ int) {
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
	set(t, other, "n", "2")
	for _, v := range values {
		if v.Load() != 1 {
			t.Errorf("a Value goes on after the store's Close: %d", v.Load())
		}
	}
}
