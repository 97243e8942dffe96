package mapstore_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestManyStoresLoseNoUpdate(t *testing.T) {
	api := mapstoretest.NewAPI(t)
	var wg sync.WaitGroup
	for range 4 {
		store := api.Open(t, "settings", mapstore.Options{})
		for range 4 {
			wg.Go(func() {
				for range 10 {
					add(t, store)
				}
			})
		}
	}
	wg.Wait()
	if n := values(api)["n"]; n != "160" {
		t.Errorf("n = %s, want 160", n)
	}
}

func TestAfterCloseEveryCallSaysSoAndReadsGoOn(t *testing.T) {
	_, running := started(t)
	early, err := mapstore.New(mapstoretest.NewAPI(t).Client(), "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []*mapstore.Store{running, early} {
		if err := errors.Join(store.Close(), store.Close()); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		_, sync := store.Sync(ctx)
		_, waitFor := store.WaitFor(ctx, "")
		_, waitUntil := store.WaitUntil(ctx, func(*mapstore.Snapshot) bool { return false })
		for name, err := range map[string]error{
			"Set": store.Set(ctx, "k", "w"), "Delete": store.Delete(ctx, "k"), "Clear": store.Clear(ctx),
			"Verify": store.Verify(ctx), "WaitForSync": store.WaitForSync(ctx), "Start": store.Start(ctx),
			"Check": store.Check(nil), "Sync": sync, "WaitFor": waitFor, "WaitUntil": waitUntil,
		} {
			if !errors.Is(err, mapstore.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		store.OnChange(func(mapstore.Change) { t.Error("a callback after Close") }).Stop()
	}
	if got, _ := running.Get("k"); got != "v" {
		t.Errorf("Get after Close = %q", got)
	}
}

func TestARewoundServerIsAReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		type step struct {
			n     string
			reset bool
		}
		var last step
		store.OnChange(func(change mapstore.Change) {
			n, _ := change.New.Get("n")
			last = step{n, change.Reset}
		})
		expect := func(want step) {
			t.Helper()
			synctest.Wait()
			if last != want {
				t.Errorf("step %v, want %v", last, want)
			}
		}
		backup := ""
		for i := range 5 {
			now := add(t, store)
			if i == 1 {
				backup = now.Revision()
			}
			expect(step{strconv.Itoa(i + 1), false})
		}
		api.Rewind(backup)
		if _, err := store.WaitUntil(t.Context(), func(now *mapstore.Snapshot) bool { return now.Revision() == backup }); err != nil {
			t.Fatal(err)
		}
		expect(step{"2", true})
		add(t, store)
		expect(step{"3", false})
	})
}

// A fake clientset has no revisions to order, to guard or to wait for; what is
// left must work, because people test their own code with it.
func TestAFakeClientset(t *testing.T) {
	object := func(revision string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings", ResourceVersion: revision}}
	}
	for name, client := range map[string]kubernetes.Interface{
		"empty":                     fake.NewClientset(),
		"empty, without apply":      fake.NewSimpleClientset(), // people have it in their tests
		"with a map":                fake.NewClientset(object("")),
		"with a map and a revision": fake.NewClientset(object("999")),
		"the same, without apply":   fake.NewSimpleClientset(object("1")),
	} {
		t.Run(name, func(t *testing.T) { useFake(t, client) })
	}
}

func useFake(t *testing.T, client kubernetes.Interface) {
	store, maps := start(t, client), client.CoreV1().ConfigMaps("default")
	if namespace, name := store.Namespace(), store.Name(); namespace != "default" || name != "settings" {
		t.Errorf("the store says that it is %s/%s", namespace, name)
	}
	becomes := func(value string) {
		t.Helper()
		if _, err := store.WaitUntil(t.Context(), func(now *mapstore.Snapshot) bool {
			got, _ := now.Get("k")
			return got == value && now.Exists() == (value != "")
		}); err != nil {
			t.Error(err)
		}
	}
	mustSet := func(value string) {
		t.Helper()
		set(t, store, "k", value)
		if got, _ := store.Get("k"); got != value {
			t.Errorf("Get = %q after a Set of %q", got, value)
		}
	}
	mustSet("v")
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"k": "w"}}
	if _, err := maps.Update(t.Context(), foreign, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Data: map[string]string{"k": "other"}}
	if _, err := maps.Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	becomes("w")
	if err := maps.Delete(t.Context(), "settings", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	becomes("")
	if _, err := store.Sync(t.Context()); err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	mustSet("again")
}
