package controller_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/config"
	ctrl "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/unrolled/mapstore/controller/v2"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func named(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "default", Name: name}}
}

// A program is a manager with one controller.
type program struct {
	api     *mapstoretest.API
	store   *mapstore.Store
	manager manager.Manager
	stop    context.CancelFunc
	ended   chan error

	mu   sync.Mutex
	runs []string // the names that were reconciled
}

// run starts a program whose controller follows what sourceOf returns and runs reconciler.
func run(t *testing.T, api *mapstoretest.API, opts mapstore.Options, sourceOf func(*mapstore.Store) source.Source, reconciler func(p *program, name string) error) *program {
	t.Helper()
	store, err := mapstore.New(api.Client(), "default", "settings", opts)
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, &program{api: api, store: store}, store, sourceOf(store), reconciler)
}

// begin starts a program that runs a store or a family.
func begin(t *testing.T, p *program, runs controller.SyncingRunnable, follows source.Source, reconciler func(p *program, name string) error) *program {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.ended = make(chan error, 1)
	var err error
	p.manager, err = manager.New(p.api.Config(), manager.Options{
		Logger: logr.Discard(), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	must(err)
	must(controller.Add(p.manager, runs))
	c, err := ctrl.New("test", p.manager, ctrl.Options{Reconciler: reconcile.Func(func(_ context.Context, r reconcile.Request) (reconcile.Result, error) {
		p.mu.Lock()
		p.runs = append(p.runs, r.Name)
		p.mu.Unlock()
		return reconcile.Result{}, reconciler(p, r.Name)
	})})
	must(err)
	must(c.Watch(follows))
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() { p.ended <- p.manager.Start(ctx) }()
	return p
}

// end ends the program, and returns what its manager returned.
func (p *program) end() error {
	p.stop()
	return <-p.ended
}

// reconciled returns the sorted names that were reconciled since it was asked last.
func (p *program) reconciled() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	runs := p.runs
	p.runs = nil
	slices.Sort(runs)
	return strings.Join(runs, " ")
}

func byKey(store *mapstore.Store) source.Source {
	return controller.Changes(store, controller.EachKey(named))
}

func nothing(*program, string) error { return nil }

func TestEachKeyIsReconciledAtFirstAndWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"a": "1", "b": "1"})
		p := run(t, api, mapstore.Options{}, byKey, nothing)
		time.Sleep(time.Second)
		if got := p.reconciled(); got != "a b" {
			t.Errorf("at first %q", got)
		}
		settings.Set("b", "2")
		settings.Set("c", "1")
		time.Sleep(time.Second)
		if got := p.reconciled(); got != "b c" {
			t.Errorf("after changes %q", got)
		}
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestOneRequestForAllComesAlsoOfAnEmptyMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		p := run(t, api, mapstore.Options{}, func(store *mapstore.Store) source.Source {
			return controller.Changes(store, controller.All(named("all")), mapstore.Prefix("web."))
		}, nothing)
		time.Sleep(time.Second)
		if got := p.reconciled(); got != "all" {
			t.Errorf("of an empty map %q", got)
		}
		api.ConfigMap("default", "settings").Put(map[string]string{"web.a": "1", "web.b": "1"})
		time.Sleep(time.Second)
		if got := p.reconciled(); got != "all" {
			t.Errorf("after a change of two keys %q", got)
		}
		api.ConfigMap("default", "settings").Set("other", "1")
		time.Sleep(time.Second)
		if got := p.reconciled(); got != "" {
			t.Errorf("after a change that the filter leaves out %q", got)
		}
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
}

// Each map of a family is reconciled at first, when it changes, comes and goes, and no other.
// The family lasts until the last reconciler has written.
func TestEachMapOfAFamilyIsReconciledWhenSomethingHappensToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		put := func(name, app string) {
			settings := api.ConfigMap("default", name)
			settings.Put(map[string]string{"n": "1"})
			settings.Edit(func(cm *corev1.ConfigMap) { cm.Labels = map[string]string{"app": app} })
		}
		put("a", "shop")
		put("b", "shop")
		put("other", "bakery")
		family, err := mapstore.NewFamily(api.Client(), "default", "app=shop", mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := begin(t, &program{api: api}, family, controller.FamilyChanges(family, controller.EachMap(named)), func(_ *program, name string) error {
			if name == "a" && family.Snapshot("a").Exists() {
				time.Sleep(5 * time.Second)
				return family.Store("a").Set(context.Background(), "seen", "1")
			}
			return nil
		})
		expect := func(when, names string) {
			t.Helper()
			time.Sleep(20 * time.Second)
			if got := p.reconciled(); got != names {
				t.Errorf("%s %q, want %q", when, got, names)
			}
		}
		expect("at first", "a a b") // a again by what its own reconciler has written
		api.ConfigMap("default", "b").Set("n", "2")
		api.ConfigMap("default", "other").Set("n", "2")
		put("c", "shop")
		expect("after changes", "b c")
		api.ConfigMap("default", "b").Delete()
		api.ConfigMap("default", "c").Edit(func(cm *corev1.ConfigMap) { cm.Labels = nil })
		expect("when two have gone", "b c")
		api.ConfigMap("default", "a").Put(map[string]string{"n": "3"})
		time.Sleep(time.Second)
		if err := p.end(); err != nil {
			t.Error(err)
		}
		if api.ConfigMap("default", "a").Values()["seen"] != "1" {
			t.Error("the last write is not there")
		}
	})
}

// An outage at the start: nobody acts on a map that looks empty.
func TestNobodyReconcilesBeforeTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Put(map[string]string{"a": "1"})
		outage := api.Fail(mapstoretest.Refused())
		p := run(t, api, mapstore.Options{}, func(store *mapstore.Store) source.Source {
			return controller.Changes(store, controller.All(named("all")))
		}, func(p *program, _ string) error {
			if _, ok := p.store.Get("a"); !ok {
				t.Error("Reconcile saw an empty map")
			}
			return nil
		})
		time.Sleep(20 * time.Second)
		if got := p.reconciled(); got != "" {
			t.Errorf("%q during the outage", got)
		}
		outage.End()
		time.Sleep(5 * time.Second)
		if got := p.reconciled(); got != "all" && got != "all all" { // the second by the first change
			t.Errorf("%q after the outage", got)
		}
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
}

// Without rights, or without a map that must exist, the manager ends and says why.
func TestAStoreThatCannotSyncEndsTheManager(t *testing.T) {
	for name, row := range map[string]struct {
		opts mapstore.Options
		deny bool
		is   func(error) bool
	}{
		"no rights": {mapstore.Options{}, true, apierrors.IsForbidden},
		"no map":    {mapstore.Options{MustExist: true}, false, apierrors.IsNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				if row.deny {
					api.Fail(mapstoretest.Forbidden())
				}
				p := run(t, api, row.opts, byKey, nothing)
				select {
				case err := <-p.ended:
					if !row.is(errors.Unwrap(err)) && !row.is(err) {
						t.Errorf("the manager ended with %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Error("the manager goes on")
					_ = p.end()
				}
				if got := p.reconciled(); got != "" {
					t.Errorf("reconciled %q", got)
				}
				p.stop()
			})
		})
	}
}

// Whoever is reconciling when the manager ends can finish, with its last write.
func TestAReconcilerThatFinishesCanStillWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"a": "1"})
		p := run(t, api, mapstore.Options{}, byKey, func(p *program, name string) error {
			time.Sleep(5 * time.Second)
			if err := p.store.Set(context.Background(), "done", "1"); err != nil {
				t.Error(err)
			}
			return nil
		})
		time.Sleep(time.Second)
		if err := p.end(); err != nil {
			t.Error(err)
		}
		if settings.Values()["done"] != "1" {
			t.Error("the last write is not there")
		}
		if err := p.store.Set(t.Context(), "late", "1"); !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("after the manager's end: %v", err)
		}
	})
}

// Also if the codec takes so long that nobody waits for it any more, the last value is
// reconciled.
func TestAValueIsReconciledWhenItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"n": "1"})
		slow := typed.Int[int]().Validate(func(n int) error {
			time.Sleep(3 * time.Second)
			return nil
		})
		var value *typed.Value[int]
		var seen []int
		p := run(t, api, mapstore.Options{}, func(store *mapstore.Store) source.Source {
			value = typed.Bind(store, "n", slow, 0)
			return controller.Values(store, value, func(_, _ int) []reconcile.Request { return []reconcile.Request{named("n")} })
		}, func(*program, string) error {
			seen = append(seen, value.Load())
			return nil
		})
		time.Sleep(10 * time.Second)
		for _, text := range []string{"2", "no", "3"} {
			settings.Set("n", text)
			time.Sleep(10 * time.Second)
		}
		p.reconciled()
		if seen = slices.Compact(seen); !slices.Equal(seen, []int{0, 1, 2, 3}) && !slices.Equal(seen, []int{1, 2, 3}) {
			t.Errorf("reconciled with %v", seen)
		}
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
}
