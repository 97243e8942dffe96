package typed_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func isBig(n int) bool { return n > 5 }

// waiting returns a store, and what waits for a Value of it and for a Derived.
func waiting(t *testing.T) (api *mapstoretest.API, store *mapstore.Store, waits []func(context.Context, func(int) bool) (int, error)) {
	api = mapstoretest.NewAPI(t)
	store = open(t, api)
	v := typed.Bind(store, "n", typed.Int[int](), 0)
	d := typed.Derive(store, func(now mapstore.Reader) (int, error) { return typed.Int[int]().From(now, "n", 0) })
	return api, store, []func(context.Context, func(int) bool) (int, error){v.WaitUntil, d.WaitUntil}
}

func TestWaitUntilReturnsTheFirstValueThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store, waits := waiting(t)
		got := make(chan int, len(waits))
		for _, wait := range waits {
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
			set(t, store, "n", strconv.Itoa(i))
			for _, wait := range waits {
				if n, err := wait(t.Context(), func(n int) bool { return n == i }); n != i || err != nil {
					t.Errorf("%d, %v, want %d", n, err, i)
				}
			}
		}
	})
}

func TestWaitUntilSaysWhyAValueDidNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store, waits := waiting(t)
		expect := func(words string, errs ...error) {
			t.Helper()
			for _, wait := range waits {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				n, err := wait(ctx, isBig)
				cancel()
				if n != 0 || err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%d, %v, want %q", n, err, words)
				}
				for _, want := range errs {
					if !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				}
			}
		}
		for _, wait := range waits {
			if _, err := wait(t.Context(), nil); !errors.Is(err, mapstore.ErrInvalidArgument) {
				t.Errorf("without a condition: %v", err)
			}
		}
		expect("mapstore: waiting for ", context.DeadlineExceeded)
		set(t, store, "n", "canary-4711")
		expect("not an integer", context.DeadlineExceeded, typed.ErrRejected)
		api.Fail(mapstoretest.Refused())
		expect("connection refused", context.DeadlineExceeded)
		time.AfterFunc(time.Second, func() { store.Close() })
		expect("", mapstore.ErrClosed)
	})
}
