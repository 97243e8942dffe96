package typed_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// `kubectl replace --force` deletes the map and creates it anew: for a moment it has no
// key.
func TestAKeyThatDisappearsLeavesWhatItsOptionSays(t *testing.T) {
	for _, row := range []struct {
		name                string
		opts                []typed.Option
		before, gone, again int
		err                 string
	}{
		{"no option", nil, 10, 10, 600, ""},
		{"Keep", []typed.Option{typed.Keep}, 10, 500, 600, ""},
		{"Required", []typed.Option{typed.Required}, 10, 500, 600, "timeout: the key is missing"},
		{"both", []typed.Option{typed.Keep, typed.Required}, 10, 500, 600, "timeout: the key is missing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				store := open(t, api)
				v := typed.Bind(store, "timeout", typed.Int[int](), 10, row.opts...)
				check := func(want int, reason string) {
					t.Helper()
					synctest.Wait()
					err := v.Err()
					if v.Load() != want || (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
						t.Errorf("%d, %v, want %d and %q", v.Load(), err, want, reason)
					}
					missing := reason == row.err && reason != ""
					for what, got := range map[string]error{"Check": store.Check(nil), "WaitForSync": store.WaitForSync(t.Context())} {
						if errors.Is(got, mapstore.ErrMissing) != missing || missing && !strings.Contains(got.Error(), "timeout") {
							t.Errorf("%s: %v", what, got)
						}
					}
				}
				check(row.before, row.err)
				set(t, store, "timeout", "500")
				check(500, "")
				api.ConfigMap("default", "settings").Delete()
				check(row.gone, row.err)
				set(t, store, "timeout", "x")
				check(row.gone, "not an integer")
				remove(t, store, "timeout")
				check(row.gone, row.err)
				set(t, store, "timeout", "")
				check(row.gone, "not an integer")
				set(t, store, "timeout", "600")
				check(row.again, "")
				v.Close()
				remove(t, store, "timeout")
				if err := store.Check(nil); err != nil {
					t.Errorf("after Close: %v", err)
				}
			})
		})
	}
}

// A required key with nothing but bad texts is missing too: there is nothing to work with.
func TestARequiredKeyWithoutAGoodTextIsMissing(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	api.ConfigMap("default", "settings").Set("n", "x")
	store, err := mapstore.New(api.Client(), "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := typed.Bind(store, "n", typed.Int[int](), 0, typed.Required)
	d := typed.Derive(store, func(now mapstore.Reader) (int, error) { return typed.Int[int]().Need(now, "m", 7) })
	if err := store.Check(nil); errors.Is(err, mapstore.ErrMissing) || v.Err() != nil {
		t.Errorf("before the sync: %v, %v", err, v.Err())
	}
	go func() { _ = store.Start(t.Context()) }()
	defer store.Close()
	if err := store.WaitForSync(t.Context()); !errors.Is(err, mapstore.ErrMissing) || !strings.HasSuffix(err.Error(), ": m, n") {
		t.Errorf("WaitForSync: %v", err)
	}
	if got := fmt.Sprint(store.Status().Rejected); got != "[m n]" || d.Load() != 7 || !strings.Contains(d.Err().Error(), "m: the key is missing") {
		t.Errorf("%s, %d, %v", got, d.Load(), d.Err())
	}
	set(t, store, "n", "1")
	set(t, store, "m", "y")
	if err := store.Check(nil); !errors.Is(err, mapstore.ErrMissing) || !strings.HasSuffix(err.Error(), ": m") || d.Load() != 7 {
		t.Errorf("%v, %d", err, d.Load())
	}
	set(t, store, "m", "2")
	set(t, store, "m", "y") // the one before counts
	if err := store.WaitForSync(t.Context()); err != nil || v.Load() != 1 || d.Load() != 2 {
		t.Errorf("%v, %d, %d", err, v.Load(), d.Load())
	}
	set(t, store, "n", "x") // there is a last good one now
	remove(t, store, "m")
	if err := store.Check(nil); !errors.Is(err, mapstore.ErrMissing) || !strings.HasSuffix(err.Error(), ": m") || v.Load() != 1 || d.Load() != 2 {
		t.Errorf("%v, %d, %d", err, v.Load(), d.Load())
	}
}
