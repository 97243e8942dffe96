package typed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func TestWaitUntilReturnsTheFirstValueThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		d := typed.Derive(store, func(now mapstore.Reader) (int, error) {
			return typed.Int[int]().From(now, "n", 0)
		})
		isBig := func(n int) bool { return n > 5 }
		got := make(chan int, 2)
		for _, wait := range []func(context.Context, func(int) bool) (int, error){v.WaitUntil, d.WaitUntil} {
			go func() {
				n, err := wait(t.Context(), isBig)
				if err != nil {
					t.Error(err)
				}
				got <- n
			}()
		}
		for _, text := range []string{"5", "bad", "6"} {
			synctest.Wait()
			if len(got) > 0 {
				t.Fatalf("WaitUntil has returned before there was %s", text)
			}
			api.ConfigMap("default", "settings").Set("n", text)
		}
		next(t, got, 6)
		next(t, got, 6)

		for i := range 20 { // what was written by other means than the Value
			set(t, store, "n", "7")
			if n, err := v.WaitUntil(t.Context(), func(n int) bool { return n == 7 }); n != 7 || err != nil {
				t.Errorf("%d: %d, %v", i, n, err)
			}
			set(t, store, "n", "8")
			if n, err := d.WaitUntil(t.Context(), func(n int) bool { return n == 8 }); n != 8 || err != nil {
				t.Errorf("%d: %d, %v", i, n, err)
			}
		}
	})
}

func TestWaitUntilSaysWhyAValueDidNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		d := typed.Derive(store, func(now mapstore.Reader) (int, error) { return now.Len(), nil })
		isBig := func(n int) bool { return n > 5 }
		wait := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			n, err := v.WaitUntil(ctx, isBig)
			if n != 0 {
				t.Errorf("%d with %v", n, err)
			}
			return err
		}
		if _, err := v.WaitUntil(t.Context(), nil); !errors.Is(err, mapstore.ErrInvalidArgument) {
			t.Errorf("without a condition: %v", err)
		}
		if _, err := d.WaitUntil(t.Context(), nil); !errors.Is(err, mapstore.ErrInvalidArgument) {
			t.Errorf("without a condition: %v", err)
		}
		if err := wait(); err == nil || err.Error() != `mapstore: waiting for "n": context deadline exceeded` || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in vain: %v", err)
		}
		set(t, store, "n", "canary-4711")
		if err := wait(); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, typed.ErrRejected) || strings.Contains(err.Error(), "canary") {
			t.Errorf("when the value is rejected: %v", err)
		}
		outage := api.Fail(mapstoretest.Refused())
		if err := wait(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("in an outage: %v", err)
		}
		outage.End()
		go func() {
			synctest.Wait()
			v.Close()
		}()
		if _, err := v.WaitUntil(t.Context(), isBig); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("of a Value that is closed: %v", err)
		}
		go func() {
			synctest.Wait()
			store.Close()
		}()
		if _, err := d.WaitUntil(t.Context(), isBig); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("when the store is closed: %v", err)
		}
	})
}
