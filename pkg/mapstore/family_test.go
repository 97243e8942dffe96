package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

const selector = "app=shop"

// ours returns a map of the family, as others see it.
func ours(api *mapstoretest.API, name string) *mapstoretest.ConfigMap {
	return api.ConfigMap("default", name).Labelled(map[string]string{"app": "shop"})
}

// relabel gives a map another value of the label.
func relabel(api *mapstoretest.API, name, value string) {
	api.ConfigMap("default", name).Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"app": value} })
}

// A diary is what a family's subscriber was told, a line each.
type diary struct {
	mu    sync.Mutex // protects lines
	lines []string
}

func (d *diary) note(name string, c mapstore.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := name
	for key, delta := range c.Deltas() {
		entry += fmt.Sprintf(" %s:%s>%s", key, delta.Old, delta.New)
	}
	switch {
	case !c.Old.Exists() && c.New.Exists():
		entry += " comes"
	case c.Old.Exists() && !c.New.Exists():
		entry += " goes"
	}
	if c.Reset {
		entry += " reset"
	}
	d.lines = append(d.lines, entry)
}

// expect compares what was told since the last time.
func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(d.lines, "\n\t"), strings.Join(want, "\n\t"))
	}
	d.lines = nil
}

// expectMerged is expect for several changes at once, which may come merged into one.
func (d *diary) expectMerged(t *testing.T, merged string, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	if slices.Equal(d.lines, []string{merged}) {
		want = d.lines
	}
	d.mu.Unlock()
	d.expect(t, want...)
}

func TestAFamilyFollowsItsMaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		ours(api, "empty").Put(nil)
		api.ConfigMap("default", "other").Set("k", "1")
		family := api.OpenFamily(t, selector, mapstore.Options{})
		var told diary
		family.OnChange(told.note)
		told.expect(t, "a k:>1 comes", "empty comes")
		if names := family.Names(); !slices.Equal(names, []string{"a", "empty"}) {
			t.Errorf("Names = %q", names)
		}
		a, b, other := family.Store("a"), family.Store("b"), family.Store("other")
		if family.Store("a") != a {
			t.Error("two stores of one map")
		}
		if v, _ := a.Get("k"); v != "1" || b.Snapshot().Exists() || other.Snapshot().Exists() {
			t.Errorf("a has %q, b is %v, other is %v", v, b.Snapshot(), other.Snapshot())
		}
		for _, s := range []*mapstore.Store{a, b, other} {
			if err := errors.Join(s.WaitForSync(t.Context()), s.Check(nil)); err != nil {
				t.Errorf("%s: %v", s.Name(), err)
			}
			if _, err := s.WaitUntil(t.Context(), func(*mapstore.Snapshot) bool { return true }); err != nil {
				t.Errorf("%s has no version: %v", s.Name(), err)
			}
		}

		set(t, a, "k", "2")
		told.expect(t, "a k:1>2")
		set(t, b, "k", "3") // creates it
		told.expectMerged(t, "b k:>3 comes", "b comes", "b k:>3")
		if labels := ours(api, "b").Get().Labels; labels["app"] != "shop" {
			t.Errorf("it was created with %v", labels)
		}
		ours(api, "c").Set("k", "4")
		ours(api, "a").Delete()
		told.expect(t, "c k:>4 comes", "a k:2> goes")
		ours(api, "a").Set("k", "5")
		told.expect(t, "a k:>5 comes reset")
		if v, _ := a.Get("k"); v != "5" || a.Stats().Resets != 1 {
			t.Errorf("the store of a has %q, %d resets", v, a.Stats().Resets)
		}
		if n := family.Stats().Reconnects; n != 0 {
			t.Errorf("%d watches were opened anew", n)
		}
	})
}

// A map that loses its label leaves the family; when it comes back, it is the same map.
func TestALabelDecidesWhoIsInTheFamily(t *testing.T) {
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			ours(api, "a").Set("k", "1")
			ours(api, "b").Set("k", "1")
			family := api.OpenFamily(t, selector, mapstore.Options{})
			a := family.Store("a")
			var told, own diary
			family.OnChange(told.note)
			a.OnChange(func(c mapstore.Change) { own.note("own", c) })
			told.expect(t, "a k:>1 comes", "b k:>1 comes")
			own.expect(t, "own k:>1 comes")
			during := func(change func()) { // while the watch is away, or not
				outage := func() {}
				if away {
					outage = api.Fail(mapstoretest.Refused(), "list", "watch").End
				}
				change()
				outage()
				time.Sleep(10 * time.Second)
			}

			during(func() { relabel(api, "a", "bakery") })
			told.expect(t, "a k:1> goes")
			own.expect(t, "own k:1> goes")
			if a.Snapshot().Exists() || slices.Contains(family.Names(), "a") {
				t.Errorf("%v, %q", a.Snapshot(), family.Names())
			}
			err := a.Set(t.Context(), "k", "2")
			if err == nil || !strings.Contains(err.Error(), "selector does not match") || errors.Is(err, mapstore.ErrUnknownOutcome) {
				t.Errorf("Set of a map that is not in the family: %v", err)
			}
			if v := api.ConfigMap("default", "a").Values()["k"]; v != "1" {
				t.Errorf("it has %q", v)
			}
			if _, err := a.Sync(t.Context()); err != nil || a.Snapshot().Exists() {
				t.Errorf("Sync: %v, %v", a.Snapshot(), err)
			}

			during(func() { relabel(api, "a", "shop") })
			told.expect(t, "a k:>1 comes")
			own.expect(t, "own k:>1 comes")
			set(t, a, "k", "2")
			told.expect(t, "a k:1>2")

			during(func() { ours(api, "a").Delete(); synctest.Wait(); ours(api, "a").Set("k", "3") })
			if away {
				told.expect(t, "a k:2>3 reset")
			} else {
				told.expect(t, "a k:2> goes", "a k:>3 comes reset")
			}
			during(func() { relabel(api, "b", "bakery"); synctest.Wait(); relabel(api, "b", "shop") })
			if away {
				told.expect(t)
			} else {
				told.expect(t, "b k:1> goes", "b k:>1 comes")
			}
			if a.Stats().Resets != 1 {
				t.Errorf("%d resets", a.Stats().Resets)
			}
		})
	}
}

func TestASubscriberOfAFamilyHearsOfEachMapOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		family := api.OpenFamily(t, selector, mapstore.Options{})
		var told diary
		busy, release := make(chan struct{}), make(chan struct{})
		family.OnChange(func(name string, c mapstore.Change) {
			told.note(name, c)
			if name == "first" {
				close(busy)
				<-release
			}
		}).SetName("slow")
		ours(api, "first").Set("k", "0")
		<-busy
		for i := range 10 { // meanwhile
			ours(api, "a").Set("k", strconv.Itoa(i))
			ours(api, "b").Set("k", strconv.Itoa(i))
			ours(api, "gone").Set("k", "0")
			ours(api, "gone").Delete()
		}
		ours(api, "a").Set("k", "last")
		time.Sleep(time.Second)
		if lag := family.Stats().Lag; lag < time.Second {
			t.Errorf("a lag of %v", lag)
		}
		close(release)
		told.expect(t, "first k:>0 comes", "b k:>9 comes", "a k:>last comes")
	})
}

// Whatever a callback does costs the others nothing, and itself that one call.
func TestACallbackOfAFamilyMayDoAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		var log logbook
		family := api.OpenFamily(t, selector, mapstore.Options{Logger: log.logger()})
		for _, name := range []string{"a", "b", "c", "d"} {
			ours(api, name).Set("k", "1")
		}
		synctest.Wait()
		var told diary
		family.OnChange(func(name string, c mapstore.Change) { // all four are due at once
			told.note(name, c)
			switch name {
			case "a":
				panic("secret")
			case "b":
				runtime.Goexit()
			}
		})
		stopping := 0
		ready := make(chan struct{})
		var stop func()
		subscription := family.OnChange(func(string, mapstore.Change) {
			<-ready
			stopping++
			stop()
		})
		stop = subscription.Stop
		close(ready)
		told.expect(t, "a k:>1 comes", "b k:>1 comes", "c k:>1 comes", "d k:>1 comes")
		if said := log.take(); stopping != 1 || family.Stats().Panics != 1 || strings.Contains(said, "secret") || !strings.Contains(said, "panicked") {
			t.Errorf("%d calls of one that has stopped, %d panics, the log says %s", stopping, family.Stats().Panics, said)
		}
		var web diary
		family.OnChange(web.note, mapstore.Prefix("web."))
		synctest.Wait()
		ours(api, "a").Set("k", "2")
		ours(api, "a").Set("web.port", "80")
		ours(api, "d").Delete()
		web.expect(t, "a comes", "b comes", "c comes", "d comes", "a web.port:>80", "d goes")
		closing := family.OnChange(func(string, mapstore.Change) { family.Close() })
		synctest.Wait()
		if !closing.Stopped() {
			t.Error("a subscription outlives its family")
		}
	})
}

// A store that was closed keeps its last state; the next store of the map goes on.
func TestAStoreOfAFamilyMayBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		family := api.OpenFamily(t, selector, mapstore.Options{})
		var told diary
		family.OnChange(told.note)
		told.expect(t, "a k:>1 comes")
		for i := range 3 {
			store := family.Store("a")
			var own diary
			subscription := store.OnChange(func(c mapstore.Change) { own.note("own", c) })
			before := strconv.Itoa(2*i + 1)
			own.expect(t, "own k:>"+before+" comes")
			if i > 0 { // with a committer, and without one
				set(t, store, "k", "x")
				told.expect(t, "a k:"+before+">x")
				own.expect(t, "own k:"+before+">x")
			}
			if err := store.Close(); err != nil || !subscription.Stopped() {
				t.Error(err)
			}
			after := strconv.Itoa(2*i + 3)
			ours(api, "a").Set("k", after)
			synctest.Wait()
			own.expect(t)
			if v, _ := store.Get("k"); v == after {
				t.Error("a closed store has something new")
			}
			if err := store.Set(t.Context(), "k", "y"); !errors.Is(err, mapstore.ErrClosed) || !errors.Is(store.Status().Err, mapstore.ErrClosed) {
				t.Errorf("Set: %v; %v", err, store.Status().Err)
			}
			_, err := store.Sync(t.Context())
			if synced, started := store.WaitForSync(t.Context()), store.Start(t.Context()); !errors.Is(err, mapstore.ErrClosed) || !errors.Is(synced, mapstore.ErrClosed) || !errors.Is(started, mapstore.ErrClosed) {
				t.Errorf("Sync: %v; WaitForSync: %v; Start: %v", err, synced, started)
			}
			store.Close()
			told.expect(t, map[bool]string{true: "a k:x>" + after, false: "a k:" + before + ">" + after}[i > 0])
		}
		if resets := family.Store("a").Stats().Resets; resets != 0 {
			t.Errorf("%d resets", resets)
		}
	})
}

func TestAFamilyMayBeUsedBeforeItsStartAndAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		family, err := mapstore.NewFamily(api.Client(), "default", selector, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		store := family.Store("a")
		written := make(chan error, 1)
		go func() { written <- store.Set(context.Background(), "k", "1") }()
		time.Sleep(time.Second)
		if err := family.Check(nil); err == nil || !strings.Contains(err.Error(), "Start") {
			t.Errorf("before Start: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- family.Start(ctx) }()
		if err := <-written; err != nil {
			t.Errorf("a write before Start: %v", err)
		}
		if err := store.Start(ctx); !errors.Is(err, mapstore.ErrInvalidArgument) {
			t.Errorf("Start of one store: %v", err)
		}
		if err := family.Start(ctx); !errors.Is(err, mapstore.ErrInvalidArgument) {
			t.Errorf("Start again: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
		late := family.Store("b")
		for what, err := range map[string]error{
			"Start": family.Start(t.Context()), "WaitForSync": family.WaitForSync(t.Context()), "Check": family.Check(nil),
			"Set": store.Set(t.Context(), "k", "2"), "Set of a late store": late.Set(t.Context(), "k", "2"),
			"WaitForSync of a store": store.WaitForSync(t.Context()), "Check of a store": store.Check(nil),
		} {
			if !errors.Is(err, mapstore.ErrClosed) {
				t.Errorf("after the end, %s: %v", what, err)
			}
		}
		if v, _ := store.Get("k"); v != "1" {
			t.Errorf("after the end it has %q", v)
		}
		family.Close()
		family.Close()

		silent := api.Peer()
		silent.Fail(mapstoretest.Hang())
		waiting := silent.StartFamily(t, selector, mapstore.Options{}).Store("a")
		go func() { written <- waiting.WaitForSync(context.Background()) }()
		synctest.Wait()
		waiting.Close()
		if err := <-written; !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("WaitForSync of a store that is closed meanwhile: %v", err)
		}

		unstarted, err := mapstore.NewFamily(api.Client(), "default", selector, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		store = unstarted.Store("a")
		go func() { written <- store.Set(context.Background(), "k", "1") }()
		synctest.Wait()
		unstarted.Close()
		if err := <-written; !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("a write to a family that never starts: %v", err)
		}
	})
}

func TestAFamilyRefusesWhatCannotBe(t *testing.T) {
	client := fake.NewClientset()
	for name, row := range map[string]struct {
		namespace, selector string
		opts                mapstore.Options
		want                error
		says                string
	}{
		"malformed":          {"ns", "app in (", mapstore.Options{}, mapstore.ErrInvalidArgument, "app in ("},
		"everything":         {"ns", "", mapstore.Options{}, mapstore.ErrInvalidArgument, "without labels"},
		"nearly everything":  {"ns", "!app", mapstore.Options{}, mapstore.ErrInvalidArgument, "without labels"},
		"which of two":       {"ns", "app in (a,b)", mapstore.Options{}, mapstore.ErrInvalidArgument, "app in (a,b)"},
		"any value":          {"ns", "app", mapstore.Options{}, mapstore.ErrInvalidArgument, "which labels"},
		"another label":      {"ns", "app=shop", mapstore.Options{Metadata: mapstore.Metadata{Labels: map[string]string{"app": "bakery"}}}, mapstore.ErrInvalidArgument, "which labels"},
		"a namespace":        {"No", "app=shop", mapstore.Options{}, mapstore.ErrInvalidName, "namespace"},
		"an option":          {"ns", "app=shop", mapstore.Options{StaleAfter: -1}, mapstore.ErrInvalidArgument, "StaleAfter"},
		"told which of two":  {"ns", "app in (a,b)", mapstore.Options{Metadata: mapstore.Metadata{Labels: map[string]string{"app": "a"}}}, nil, ""},
		"creates nothing":    {"ns", "app in (a,b)", mapstore.Options{MustExist: true}, nil, ""},
		"several":            {"ns", "app=shop,tier in (web),env!=test", mapstore.Options{}, nil, ""},
		"kubectl's spelling": {"ns", "app == shop, tier notin (db)", mapstore.Options{}, nil, ""},
	} {
		_, err := mapstore.NewFamily(client, row.namespace, row.selector, row.opts)
		if !errors.Is(err, row.want) || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mapstore.NewFamily(nil, "ns", selector, mapstore.Options{}); !errors.Is(err, mapstore.ErrInvalidArgument) {
		t.Errorf("no client: %v", err)
	}

	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.OpenFamily(t, selector, mapstore.Options{}).Store("No/Name")
		_, synced := store.Sync(t.Context())
		_, waited := store.WaitFor(t.Context(), "")
		for what, err := range map[string]error{
			"Set": store.Set(t.Context(), "k", "v"), "Sync": synced, "WaitFor": waited, "Start": store.Start(t.Context()),
			"WaitForSync": store.WaitForSync(t.Context()), "Check": store.Check(nil), "Verify": store.Verify(t.Context()),
		} {
			if !errors.Is(err, mapstore.ErrInvalidName) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := store.Close(); err != nil || store.Snapshot().Len() != 0 {
			t.Error(err)
		}
	})
}

// Three hundred maps change during an outage, after a compaction, and when the cluster goes
// back in time. Each subscriber ends at what is there.
func TestAFamilyFindsItsPlaceAgain(t *testing.T) {
	const size = 300
	name := func(i int) string { return fmt.Sprintf("map-%03d", i) }
	for what, trouble := range map[string]func(t *testing.T, api *mapstoretest.API, change func()){
		"an outage": func(_ *testing.T, api *mapstoretest.API, change func()) {
			defer api.Fail(mapstoretest.Refused()).End()
			change()
			time.Sleep(time.Minute)
		},
		"a watch that is too old": func(_ *testing.T, api *mapstoretest.API, change func()) {
			api.FailNext(1, mapstoretest.Expired())
			change()
		},
		"a compaction": func(_ *testing.T, api *mapstoretest.API, change func()) {
			outage := api.Fail(mapstoretest.Refused())
			change()
			api.Compact()
			outage.End()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			for i := range size {
				ours(api, name(i)).Set("k", "0")
			}
			var log logbook
			family := api.OpenFamily(t, selector, mapstore.Options{Logger: log.logger()})
			folded, resets := make(map[string]string), 0
			var mu sync.Mutex
			family.OnChange(func(name string, c mapstore.Change) {
				mu.Lock()
				defer mu.Unlock()
				for _, d := range c.Deltas() {
					if folded[name] != d.Old {
						t.Errorf("%s: %s: %q, and the change begins at %q", what, name, folded[name], d.Old)
					}
					folded[name] = d.New
				}
				if c.Reset {
					resets++
				}
			})
			synctest.Wait()
			for i := range size {
				ours(api, name(i)).Set("k", "1")
			}
			trouble(t, api, func() {
				for i := range size {
					switch i % 3 {
					case 0:
						ours(api, name(i)).Set("k", "2")
					case 1:
						ours(api, name(i)).Delete()
					}
				}
			})
			check := func(when string, want func(i int) string) {
				t.Helper()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				for i := range size {
					v, _ := family.Store(name(i)).Get("k")
					if w := want(i); v != w || folded[name(i)] != w {
						t.Errorf("%s, %s: %s has %q, and was told of %q, want %q", what, when, name(i), v, folded[name(i)], w)
					}
				}
			}
			check("after it", func(i int) string { return []string{"2", "", "1"}[i%3] })
			if resets != 0 {
				t.Errorf("%s: %d resets", what, resets)
			}
			if what == "a compaction" {
				return // it cannot go back behind that
			}
			api.Rewind(strconv.Itoa(size + 1))
			check("after the cluster went back", func(int) string { return "0" })
			if n := strings.Count(log.take(), "gone back in time"); n != 1 {
				t.Errorf("%s: %d lines of one rewind", what, n)
			}
		})
	}
}

// What is asked for while a list is under way, which knows nothing of it yet.
func TestAStoreMayBeAskedForDuringTheFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		slow := api.Fail(mapstoretest.Slow(time.Second), "list")
		family := api.StartFamily(t, selector, mapstore.Options{})
		time.Sleep(500 * time.Millisecond)
		a, b := family.Store("a"), family.Store("b")
		for _, s := range []*mapstore.Store{a, b} {
			if _, err := s.WaitUntil(within(t, time.Minute), func(*mapstore.Snapshot) bool { return true }); err != nil {
				t.Errorf("%s: %v", s.Name(), err)
			}
		}
		slow.End()
		if v, _ := a.Get("k"); v != "1" || b.Snapshot().Exists() {
			t.Errorf("%q, %v", v, b.Snapshot())
		}
	})
}

// The answer to a list is late, and a store that was asked for meanwhile has written since:
// nothing has gone back in time.
func TestAListThatIsLateTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		config, held := api.Config(), make(chan struct{})
		var lists atomic.Int64
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(r)
				if r.Method == http.MethodGet && r.URL.Query().Get("watch") == "" && r.URL.Query().Get("fieldSelector") == "" && strings.HasSuffix(r.URL.Path, "configmaps") && lists.Add(1) == 2 {
					<-held
				}
				return response, err
			})
		})
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		family, err := mapstore.NewFamily(client, "default", selector, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() { _ = family.Start(context.Background()) })
		defer running.Wait()
		defer family.Close()
		if err := family.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		outage := api.Fail(mapstoretest.Refused(), "watch", "list")
		ours(api, "b").Set("k", "1") // which nobody has heard of yet
		outage.End()
		time.Sleep(3 * time.Second) // the second list waits for its answer, which has b as it was
		b := family.Store("b")
		if err := b.Set(t.Context(), "k", "2"); err != nil {
			t.Fatal(err)
		}
		close(held)
		time.Sleep(5 * time.Second)
		if v, _ := b.Get("k"); v != "2" || b.Stats().Resets != 0 {
			t.Errorf("b has %q, %d resets", v, b.Stats().Resets)
		}
	})
}

// Members of two families, as in two processes, and answers that are lost: each increment
// counts once.
func TestStoresOfFamiliesWriteExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		const each = 40
		var writers sync.WaitGroup
		for range 2 {
			peer := api.Peer()
			family := peer.OpenFamily(t, selector, mapstore.Options{})
			for _, name := range []string{"a", "b"} {
				writers.Go(func() {
					for i := range each {
						if i%5 == 0 {
							peer.FailNext(1, []mapstoretest.Fault{mapstoretest.LostAnswer(), mapstoretest.LostRequest(), mapstoretest.Conflict()}[i/5%3], "update")
						}
						if _, err := family.Store(name).Update(context.Background(), increment); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				})
			}
		}
		writers.Wait()
		for _, name := range []string{"a", "b"} {
			if n := ours(api, name).Values()["n"]; n != strconv.Itoa(2*each) {
				t.Errorf("%s counts %s, want %d", name, n, 2*each)
			}
		}
	})
}

func TestAStoreOfAFamilyThatIsIdleHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		for i := range 200 {
			ours(api, strconv.Itoa(i)).Set("k", "v")
		}
		family := api.OpenFamily(t, selector, mapstore.Options{})
		synctest.Wait()
		before := runtime.NumGoroutine()
		for i := range 200 {
			family.Store(strconv.Itoa(i)).OnChange(func(mapstore.Change) {})
		}
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+5 {
			t.Errorf("%d goroutines, and %d with 200 stores", before, after)
		}
	})
}

// blockAtBusy notes what a subscriber is told, which blocks in its first call for the map "busy"
// until release is called.
func (d *diary) blockAtBusy(family *mapstore.Family) (release func()) {
	released := make(chan struct{})
	var once sync.Once
	family.OnChange(func(name string, c mapstore.Change) {
		d.note(name, c)
		if name == "busy" {
			once.Do(func() { <-released })
		}
	})
	return func() { close(released) }
}

// Maps that come and go with ever new names do not stay in memory, not even for a subscriber
// that blocks, and each that a subscriber knows of ends for it.
func TestAFamilyForgetsMapsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		family := api.OpenFamily(t, selector, mapstore.Options{Backup: t.TempDir()})
		var told diary
		release := told.blockAtBusy(family)
		ours(api, "known").Set("k", "1")
		told.expect(t, "known k:>1 comes")
		ours(api, "busy").Set("k", "1")
		time.Sleep(2 * time.Second)
		backups := family.Stats().Backups
		ours(api, "known").Delete()
		for i := range 2500 {
			ours(api, strconv.Itoa(i)).Set("k", "1")
			ours(api, strconv.Itoa(i)).Delete()
		}
		ours(api, "known").Set("k", "2")
		ours(api, "last").Set("k", "1")
		ours(api, "last").Delete()
		synctest.Wait()
		if n := family.Remembered(); n > 1100 {
			t.Errorf("%d maps are remembered", n)
		}
		if n := family.Stats().Backups; backups < 2 || n < backups { // one of them was known's
			t.Errorf("%d backups, and then %d", backups, n)
		}
		release()
		told.expect(t, "busy k:>1 comes", "known k:1>2 reset")
	})
}

// A map that was recreated before, and is forgotten and there again while a subscriber
// blocks, is another one for it; and what others have asked of it does not mislead.
func TestAMapThatWasForgottenIsAnotherOneWhateverItWasBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		family := api.OpenFamily(t, selector, mapstore.Options{})
		var told, prompt diary
		release := told.blockAtBusy(family)
		family.OnChange(func(name string, c mapstore.Change) {
			if name == "known" {
				prompt.note(name, c)
			}
		})
		known := ours(api, "known")
		known.Set("old", "1")
		synctest.Wait()
		known.Delete()
		synctest.Wait()
		known.Set("old", "2") // a reset
		told.expect(t, "known old:>1 comes", "known old:1> goes", "known old:>2 comes reset")
		ours(api, "busy").Set("k", "1")
		synctest.Wait()
		known.Delete()
		for i := range 1100 {
			ours(api, strconv.Itoa(i)).Set("k", "1")
			ours(api, strconv.Itoa(i)).Delete()
		}
		synctest.Wait()
		prompt.lines = nil
		for i := range 4 { // the versions that others compare have the numbers of those of before
			known.Set("k", strconv.Itoa(i))
			synctest.Wait()
		}
		release()
		told.expect(t, "busy k:>1 comes", "known k:>3 old:2> reset")
		prompt.expect(t, "known k:>0 comes", "known k:0>1", "known k:1>2", "known k:2>3")
	})
}

func TestAFamilyKeepsAFileForEachMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		ours(api, "b").Set("k", "1")
		ours(api, "c").Set("k", "1")
		run := func() (*mapstore.Family, func()) {
			family, err := mapstore.NewFamily(api.Client(), "default", selector, mapstore.Options{Backup: dir})
			if err != nil {
				t.Fatal(err)
			}
			var running sync.WaitGroup
			running.Go(func() { _ = family.Start(context.Background()) }) // what it could return is another test's
			synctest.Wait()
			return family, func() { family.Close(); running.Wait() }
		}
		files := func() string {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			return strings.Join(names, " ")
		}
		family, end := run()
		time.Sleep(2 * time.Second)
		if got := files(); got != "a b c" {
			t.Errorf("files %s", got)
		}
		ours(api, "a").Set("k", "2")
		ours(api, "c").Delete()
		set(t, family.Store("d"), "k", "1")
		time.Sleep(2 * time.Second)
		if got := files(); got != "a b d" {
			t.Errorf("files %s", got)
		}
		if s := family.Stats(); s.Backups < 5 || s.BackupFailures != 0 {
			t.Errorf("%d backups, %d failures", s.Backups, s.BackupFailures)
		}
		ours(api, "b").Set("k", "at the end")
		synctest.Wait()
		end()

		if err := os.WriteFile(filepath.Join(dir, "a.4711.tmp"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		outage := api.Fail(mapstoretest.Refused())
		family, end = run()
		defer end()
		for name, want := range map[string]string{"a": "2", "b": "at the end", "c": "", "d": "1"} {
			if v, _ := family.Store(name).Get("k"); v != want {
				t.Errorf("during an outage %s has %q, want %q", name, v, want)
			}
		}
		if status := family.Status(); status.Restored.IsZero() || status.Err == nil || family.Store("a").Status().Restored.IsZero() {
			t.Errorf("%+v", status)
		}
		ours(api, "b").Delete()
		outage.End()
		time.Sleep(10 * time.Second)
		if status := family.Status(); !status.Restored.IsZero() || status.Err != nil || family.Store("b").Snapshot().Exists() {
			t.Errorf("after the outage: %+v, %v", status, family.Store("b").Snapshot())
		}
		if got := files(); got != "a d" {
			t.Errorf("files %s", got)
		}
	})
}

// Stores come and go, and so do maps; what a family has done only grows.
func TestTheFiguresOfAFamilyOnlyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "0")
		family := api.OpenFamily(t, selector, mapstore.Options{Backup: t.TempDir()})
		last := reflect.ValueOf(family.Stats())
		step := func(what string, do func()) mapstore.Stats {
			t.Helper()
			do()
			time.Sleep(3 * time.Second)
			stats := family.Stats()
			now := reflect.ValueOf(stats)
			for i := range now.NumField() {
				if now.Field(i).CanUint() && now.Field(i).Uint() < last.Field(i).Uint() || now.Field(i).Type() == reflect.TypeFor[time.Duration]() && now.Type().Field(i).Name != "Lag" && now.Field(i).Int() < last.Field(i).Int() {
					t.Errorf("%s: %s goes from %v to %v", what, now.Type().Field(i).Name, last.Field(i), now.Field(i))
				}
			}
			last = now
			return stats
		}
		a := family.Store("a")
		subscription := a.OnChange(func(mapstore.Change) { panic("on purpose") })
		step("writes", func() {
			for range 3 {
				add(t, a)
			}
			_, _ = a.Update(t.Context(), func(*mapstore.Tx) error { return errors.New("aborted") })
		})
		subscription.Stop()
		step("a store is closed", func() { a.Close() })
		step("another one", func() { add(t, family.Store("a")) })
		step("it is closed, too", func() { family.Store("a").Close() })
		step("the map goes", func() { ours(api, "a").Delete() })
		s := step("and comes back", func() { ours(api, "a").Set("k", "1") })
		if s.Transactions != 4 || s.Commits != 4 || s.Aborted != 1 || s.Panics == 0 || s.Resets != 1 || s.Backups < 3 || s.Versions != 7 {
			t.Errorf("%+v", s)
		}
	})
}

// Backups with a limit of age are renewed while the maps are quiet, and go on without the
// stores. Whoever is killed has left what was true half that age before.
func TestBackupsOfAFamilyAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		opts := mapstore.Options{Backup: t.TempDir(), BackupMaxAge: time.Hour}
		ours(api, "a").Set("k", "1")
		ours(api, "b").Set("k", "1")
		killed := api.OpenFamily(t, selector, opts) // it never ends
		time.Sleep(72*time.Hour + 29*time.Minute)
		written := killed.Stats().Backups
		killed.Store("a").Close()
		ours(api, "a").Set("k", "2")
		time.Sleep(2 * time.Second)
		if n := killed.Stats().Backups; n != written+1 || written < 2*72 || written > 2*2*73+2 {
			t.Errorf("%d backups in 72 hours, and %d after a change", written, n)
		}

		outage := api.Fail(mapstoretest.Refused())
		family := api.StartFamily(t, selector, opts)
		synctest.Wait()
		a, _ := family.Snapshot("a").Get("k")
		b, _ := family.Snapshot("b").Get("k")
		if age := time.Since(family.Status().Restored); a != "2" || b != "1" || age > 31*time.Minute {
			t.Errorf("a has %q, b %q, of an age of %v", a, b, age)
		}
		outage.End()
		time.Sleep(10 * time.Second)
		ended := time.Now()
		family.Close()

		defer api.Fail(mapstoretest.Refused()).End()
		time.Sleep(59 * time.Minute)
		last := api.StartFamily(t, selector, opts)
		synctest.Wait()
		if restored := last.Status().Restored; !restored.Equal(ended) {
			t.Errorf("what a family has left at its end is of %v before", ended.Sub(restored))
		}
	})
}

func TestAFamilyWithoutItsFolderGoesOnWithoutBackups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		var log logbook
		family := api.OpenFamily(t, selector, mapstore.Options{Backup: filepath.Join(t.TempDir(), "none"), Logger: log.logger()})
		time.Sleep(5 * time.Second)
		if s := family.Stats(); s.Backups != 0 || s.BackupFailures == 0 || family.Status().Err != nil {
			t.Errorf("%+v, %v", s, family.Status().Err)
		}
		if said := log.take(); !strings.Contains(said, "The backup is not used") || strings.Count(said, "Cannot write the backup") != 1 {
			t.Error(said)
		}
	})
}

func TestTheStatusOfAFamilyNamesItsMaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "12345")
		ours(api, "b").Set("k", "67")
		family := api.OpenFamily(t, selector, mapstore.Options{MustExist: true})
		if s := family.Status(); !s.Synced || !s.Exists || s.Bytes != 5 || s.Revision != "3" || s.Err != nil || s.LastContact.IsZero() {
			t.Errorf("%+v", s)
		}
		absent := family.Store("absent")
		if err := family.Check(nil); !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "absent") {
			t.Errorf("one that must exist and does not: %v", err)
		}
		if err := family.WaitForSync(t.Context()); !apierrors.IsNotFound(err) {
			t.Errorf("WaitForSync: %v", err)
		}
		absent.Close()
		denied := api.Fail(mapstoretest.Forbidden(), "update")
		_ = family.Store("b").Set(t.Context(), "k", "v")
		if s := family.Status(); !apierrors.IsForbidden(s.WriteErr) || !strings.Contains(s.LastFailure.Err.Error(), "ConfigMap b") {
			t.Errorf("%v, %v", s.WriteErr, s.LastFailure)
		}
		denied.End()
		if s := family.Stats(); s.Failures != 1 || s.Requests != 1 {
			t.Errorf("%+v", s)
		}
		view, _ := lengths(func(*mapstore.Snapshot) {})
		family.Store("a").Attach(view)
		view.Reject(map[string]string{"k": "too long", "(all)": "odd"})
		view.Require("needed")
		if s := family.Status(); fmt.Sprint(s.Rejected, s.Reasons) != "[a/(all) a/k] map[a/(all):odd a/k:too long]" || !errors.Is(s.Err, mapstore.ErrMissing) || !strings.Contains(s.Err.Error(), "needed (ConfigMap a)") {
			t.Errorf("%v, %v, %v", s.Rejected, s.Reasons, s.Err)
		}
		view.Detach()
		outage := api.Fail(mapstoretest.Refused())
		time.Sleep(5 * time.Second)
		if err := family.Check(nil); err == nil || family.Store("a").Check(nil) == nil {
			t.Errorf("in an outage: %v", err)
		}
		outage.End()
		time.Sleep(5 * time.Second)
		if err := errors.Join(family.Check(nil), family.Verify(t.Context())); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

func TestAFamilyOfAFakeClientset(t *testing.T) {
	labelled := func(name, app string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": app}}, Data: map[string]string{"k": name}}
	}
	client := fake.NewClientset(labelled("a", "shop"), labelled("b", "bakery"))
	family, err := mapstore.NewFamily(client, "default", selector, mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = family.Start(context.Background()) }()
	defer family.Close()
	ctx := within(t, time.Minute)
	if err := family.WaitForSync(ctx); err != nil || !slices.Equal(family.Names(), []string{"a"}) {
		t.Fatalf("%q, %v", family.Names(), err)
	}
	if err := family.Store("c").Set(ctx, "k", "new"); err != nil {
		t.Error(err)
	}
	if _, err := client.CoreV1().ConfigMaps("default").Update(ctx, labelled("a", "bakery"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := family.Store("a").WaitUntil(ctx, func(now *mapstore.Snapshot) bool { return !now.Exists() }); err != nil {
		t.Errorf("a fake clientset tells of a map that has lost its label: %v", err)
	}
	if names := family.Names(); !slices.Equal(names, []string{"c"}) {
		t.Errorf("Names = %q", names)
	}
}

// The end of a family waits for what is left of stores that others are closing.
func TestTheEndOfAFamilyWaitsForCallbacksOfStoresThatAreBeingClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		ours(api, "a").Set("k", "1")
		family := api.OpenFamily(t, selector, mapstore.Options{})
		store, ended := family.Store("a"), false
		store.OnChange(func(mapstore.Change) { time.Sleep(time.Second); ended = true })
		synctest.Wait()
		go store.Close()
		synctest.Wait()
		family.Close()
		if !ended {
			t.Error("a callback outlives its family")
		}
	})
}
