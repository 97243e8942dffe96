package mapstore_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func increment(tx *mapstore.Tx) error {
	tx.Set("n", strconv.Itoa(number(tx, "n")+1))
	return nil
}

// through wraps a client's transport.
func through(wrap func(next http.RoundTripper) http.RoundTripper) func(*rest.Config) {
	return func(config *rest.Config) { config.Wrap(wrap) }
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAStoreSaysWhichConfigMapItIs(t *testing.T) {
	store, err := mapstore.New(fake.NewClientset(), "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if namespace, name := store.Namespace(), store.Name(); namespace != "ns" || name != "settings" {
		t.Errorf("it is %s/%s, want ns/settings", namespace, name)
	}
}

func TestManyStoresLoseNoUpdate(t *testing.T) {
	c := newCluster(t)
	var wg sync.WaitGroup
	for range 4 {
		store := c.store()
		for range 4 {
			wg.Go(func() {
				for range 10 {
					if _, err := store.Update(t.Context(), increment); err != nil {
						t.Errorf("Update: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	now, err := c.store().Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := now.Get("n"); n != "160" {
		t.Errorf("n = %s, want 160", n)
	}
}

func TestLostAnswersAreLookedUp(t *testing.T) {
	c := newCluster(t)
	lost := errors.New("the answer is lost")
	var puts atomic.Int32
	store := c.store(through(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if r.Method == http.MethodPut && puts.Add(1)%3 == 0 {
				response.Body.Close()
				return nil, lost
			}
			return response, err
		})
	}))
	for range 20 {
		if _, err := store.Update(t.Context(), increment); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := store.Get("n"); n != "20" {
		t.Errorf("n = %s after 20 increments", n)
	}
}

func TestAFunctionThatEndsItsGoroutineHarmsNobody(t *testing.T) {
	store := newCluster(t).store()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = store.Update(t.Context(), func(*mapstore.Tx) error {
			runtime.Goexit()
			return nil
		})
		t.Error("Update returned though its goroutine had ended")
	})
	wg.Wait()
	if _, err := store.Update(t.Context(), increment); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

func TestAFunctionThatHangsDoesNotKeepTheStoreFromClosing(t *testing.T) {
	store := newCluster(t).store()
	entered, release, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := store.Update(t.Context(), func(*mapstore.Tx) error {
			close(entered)
			<-release
			return nil
		})
		ended <- err
	}()
	<-entered
	store.Close()
	close(release)
	if err := <-ended; !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Update: %v, want ErrClosed", err)
	}
}

func TestWritesBeforeTheSyncWaitForIt(t *testing.T) {
	c := newCluster(t)
	store, err := mapstore.New(c.client(), "ns", "settings", mapstore.Options{WriteTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Set(t.Context(), "k", "v")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("Set on a store that was not started: %v, want it not applied", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := store.WaitForSync(ctx); err == nil || !strings.Contains(err.Error(), "Start has not been called") {
		t.Errorf("WaitForSync: %v", err)
	}
	if store.Status().Err == nil || store.Snapshot().Len() != 0 {
		t.Error("a store that was not started says that it is fine")
	}
	written := make(chan error)
	go func() { written <- store.Set(context.WithoutCancel(t.Context()), "k", "v") }()
	c.start(store)
	if err := <-written; err != nil {
		t.Errorf("Set while the store starts: %v", err)
	}
}

func TestCloseBeforeStart(t *testing.T) {
	store, err := mapstore.New(newCluster(t).client(), "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	if err := store.Start(t.Context()); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	if err := store.Set(t.Context(), "k", "v"); !errors.Is(err, mapstore.ErrClosed) {
		t.Errorf("Set after Close: %v", err)
	}
}

func TestARewoundServerIsAReset(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	type step struct {
		n     string
		reset bool
	}
	steps := make(chan step, 100)
	store.OnChange(func(change mapstore.Change) {
		n, _ := change.New.Get("n")
		steps <- step{n, change.Reset}
	})
	backup := ""
	for i := range 5 {
		now, err := store.Update(t.Context(), increment)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			backup = now.Revision()
		}
		if got := <-steps; got != (step{strconv.Itoa(i + 1), false}) {
			t.Errorf("step %v after %d increments", got, i+1)
		}
	}
	c.api.Rewind(backup)
	c.server.CloseClientConnections()
	if got := <-steps; got != (step{"2", true}) {
		t.Errorf("step %v after the server has gone back, want n = 2 and a Reset", got)
	}
	if _, err := store.Update(t.Context(), increment); err != nil {
		t.Errorf("Update after the server has gone back: %v", err)
	}
	if got := <-steps; got != (step{"3", false}) {
		t.Errorf("step %v, want n = 3", got)
	}
}

// A fake clientset has no revisions to order, to guard or to wait for; what is
// left must work, because people test their own code with it.
func TestAFakeClientset(t *testing.T) {
	object := func(revision string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "settings", ResourceVersion: revision}}
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
	store, err := mapstore.New(client, "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	(&cluster{T: t}).start(store)
	if err := store.Set(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("Get = %q", got)
	}
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "settings"}, Data: map[string]string{"k": "w"}}
	if _, err := client.CoreV1().ConfigMaps("ns").Update(t.Context(), foreign, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"}, Data: map[string]string{"k": "other"}}
	if _, err := client.CoreV1().ConfigMaps("ns").Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	is := func(value string) func(*mapstore.Snapshot) bool {
		return func(now *mapstore.Snapshot) bool { got, _ := now.Get("k"); return got == value }
	}
	if _, err := store.WaitUntil(t.Context(), is("w")); err != nil {
		t.Error(err)
	}
	if err := client.CoreV1().ConfigMaps("ns").Delete(t.Context(), "settings", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.WaitUntil(t.Context(), func(now *mapstore.Snapshot) bool { return !now.Exists() }); err != nil {
		t.Error(err)
	}
	if _, err := store.Sync(t.Context()); err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	if err := store.Set(t.Context(), "k", "again"); err != nil {
		t.Error(err)
	}
	if got, _ := store.Get("k"); got != "again" {
		t.Errorf("Get = %q in the map that was created anew", got)
	}
}
