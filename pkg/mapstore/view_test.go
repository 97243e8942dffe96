package mapstore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr/funcr"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A lengths view holds how many keys there are.
func lengths(see func(*mapstore.Snapshot)) (*mapstore.View, *watch.Var[int]) {
	length := watch.NewVar(0)
	return &mapstore.View{
		Name: "lengths",
		Var:  length,
		See: func(now *mapstore.Snapshot) {
			see(now)
			length.Store(now.Len())
		},
	}, length
}

func TestAViewSeesEachVersionOnceAndTheNewestAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mapstoretest.NewStore(t, map[string]string{"a": "1"})
		var seen []uint64
		release := make(chan struct{})
		view, length := lengths(func(now *mapstore.Snapshot) {
			seen = append(seen, now.Sequence())
			if now.Sequence() == 2 {
				<-release
			}
		})
		store.Attach(view)
		if length.Load() != 1 {
			t.Error("See has not run when Attach returns")
		}
		for _, key := range []string{"b", "c", "d"} {
			set(t, store, key, "1")
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		if want := []uint64{1, 2, 4}; !slices.Equal(seen, want) || length.Load() != 4 {
			t.Errorf("the View has seen the versions %v, want %v, and %d keys", seen, want, length.Load())
		}
		if now := store.Snapshot(); now.Sequence() != store.Stats().Versions {
			t.Errorf("version %d of %d", now.Sequence(), store.Stats().Versions)
		}
	})
}

func TestAViewEndsWithDetachAndWithTheStore(t *testing.T) {
	for name, end := range map[string]func(*mapstore.Store, *mapstore.View){
		"Detach":          func(_ *mapstore.Store, view *mapstore.View) { view.Detach() },
		"the store's end": func(store *mapstore.Store, _ *mapstore.View) { store.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				store := api.Open(t, "settings", mapstore.Options{})
				release := make(chan struct{})
				view, length := lengths(func(now *mapstore.Snapshot) {
					if now.Len() == 2 {
						<-release
					}
				})
				store.Attach(view)
				var calls atomic.Int32
				length.Subscribe(func(_, _ int) {
					calls.Add(1)
					<-release
				}, watch.Named("follower"))
				for _, key := range []string{"a", "b"} { // the callback blocks, and then See does
					set(t, store, key, "1")
					synctest.Wait()
				}
				var names []string
				for _, s := range store.Subscriptions() {
					names = append(names, s.Name())
				}
				slices.Sort(names)
				if want := []string{"follower", "lengths"}; !slices.Equal(names, want) || store.Stats().Subscriptions != 2 {
					t.Errorf("the subscriptions are %v, want %v", names, want)
				}
				var ended atomic.Bool
				go func() {
					end(store, view)
					ended.Store(true)
				}()
				synctest.Wait()
				if ended.Load() {
					t.Error("it has ended while See and a callback run")
				}
				close(release)
				synctest.Wait()
				if !ended.Load() {
					t.Error("it does not end")
				}
				was, called := length.Load(), calls.Load()
				api.ConfigMap("default", "settings").Put(map[string]string{"x": "", "y": "", "z": ""})
				synctest.Wait()
				if length.Load() != was || calls.Load() != called || len(store.Subscriptions()) != 0 {
					t.Errorf("it goes on: %d keys, %d calls, %d subscriptions", length.Load(), calls.Load(), len(store.Subscriptions()))
				}
				view.Detach()
			})
		})
	}
}

// The call that ends a View may be its first, inside Attach.
func TestAViewThatIsDetachedInItsFirstSeeSeesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mapstoretest.NewAPI(t).Open(t, "settings", mapstore.Options{})
		seen := 0
		var view *mapstore.View
		view = &mapstore.View{Var: watch.NewVar(0), See: func(*mapstore.Snapshot) {
			seen++
			view.Detach()
		}}
		store.Attach(view)
		for range 3 {
			write(t, store, "k")
			synctest.Wait()
		}
		if seen != 1 {
			t.Errorf("it has seen %d versions", seen)
		}
	})
}

func TestWhatAViewRejectsShowsUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mapstoretest.NewStore(t, nil)
		b, _ := lengths(func(*mapstore.Snapshot) {})
		a, _ := lengths(func(*mapstore.Snapshot) {})
		for _, view := range []*mapstore.View{a, b} {
			store.Attach(view)
		}
		check := func(reasons string, rejections uint64) {
			t.Helper()
			status := store.Status()
			if got := fmt.Sprint(status.Reasons); got != reasons || store.Stats().Rejections != rejections {
				t.Errorf("%s, and %d rejections, want %s and %d", got, store.Stats().Rejections, reasons, rejections)
			}
			if names := slices.Sorted(maps.Keys(status.Reasons)); !slices.Equal(names, status.Rejected) {
				t.Errorf("%q are rejected, with reasons for %q", status.Rejected, names)
			}
		}
		b.Reject(map[string]string{"k": "too long", "m": "no number"})
		a.Reject(map[string]string{"k": "too short", "(a)": "nothing fits"})
		check("map[(a):nothing fits k:too long; too short m:no number]", 2)
		a.Reject(map[string]string{"n": "gone", "k": "too long"})
		check("map[k:too long m:no number n:gone]", 3)
		a.Reject(nil)
		check("map[k:too long m:no number]", 3)
		b.Detach()
		check("map[]", 3)
	})
}

func TestAPanicOfAViewIsLoggedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string // of one goroutine at a time: the bubble is idle in between
		logger := funcr.New(func(_, line string) { log = append(log, line) }, funcr.Options{})
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Put(nil)
		store := api.Open(t, "settings", mapstore.Options{Logger: logger})
		view, length := lengths(func(now *mapstore.Snapshot) {
			if now.Len() == 2 {
				panic("canary-4711")
			}
		})
		store.Attach(view)
		synctest.Wait()
		length.Subscribe(func(_, _ int) { panic("canary-4711") }, watch.OnPanic(view.LogPanic))
		for _, key := range []string{"a", "b", "c"} { // the callback panics twice more, and See in between
			synctest.Wait()
			set(t, store, key, "1")
		}
		synctest.Wait()
		if got := store.Stats().Panics; got != 4 || length.Load() != 3 {
			t.Errorf("%d panics, %d keys", got, length.Load())
		}
		if said := strings.Join(log, "\n"); strings.Count(said, "A change callback panicked") != 4 || strings.Contains(said, "canary") {
			t.Errorf("the log says %s", said)
		}
	})
}

func TestAViewThatCannotWorkIsFoundAtOnce(t *testing.T) {
	store := mapstoretest.NewStore(t, nil)
	twice, _ := lengths(func(*mapstore.Snapshot) {})
	store.Attach(twice)
	for name, view := range map[string]*mapstore.View{
		"no See": {Var: watch.NewVar(0)},
		"no Var": {See: func(*mapstore.Snapshot) {}},
		"twice":  twice,
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "mapstore: ") {
					t.Errorf("%s: panics with %q", name, text)
				}
			}()
			store.Attach(view)
		}()
	}
}

// What a test makes for code that takes a Snapshot is as that of a store, and does
// not change.
func TestANewSnapshotHasItsValues(t *testing.T) {
	values := map[string]string{"b": "2", "a": "\xff"}
	s := mapstore.NewSnapshot(values)
	values["a"] = "changed"
	if got := maps.Collect(s.All()); !maps.Equal(got, map[string]string{"b": "2", "a": "\xff"}) || fmt.Sprint(s.Keys()) != "[a b]" {
		t.Errorf("it has %v", got)
	}
	if !s.Exists() || s.Revision() != "" || s.UID() != "" || s.Sequence() != 0 {
		t.Errorf("it is %v", s)
	}
	if empty := mapstore.NewSnapshot(nil); !empty.Exists() || empty.Len() != 0 {
		t.Errorf("it is %v", empty)
	}
}
