// Package e2e holds the store to its promises on a real API server: through
// several stores at once, beside writers that know nothing of it, and through
// outages.
package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// plane is the control plane that all tests share. Those that kill or pause a
// part of it start one of their own.
var plane *kube.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("KUBE_CACHE_MUTATION_DETECTOR") != "true" {
		fmt.Fprintln(os.Stderr, "set KUBE_CACHE_MUTATION_DETECTOR=true, as `make e2e` does")
		return 1
	}
	var err error
	plane, err = kube.Start(context.Background(), kube.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := plane.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 { // a test that failed may have had no chance to clean up
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

const mapName = "settings"

// A site is one map in a namespace of its own, with an outside writer that uses
// plain client-go.
type site struct {
	*testing.T
	plane     *kube.ControlPlane
	namespace string
	outside   *kubernetes.Clientset
}

func newSite(t *testing.T) *site { return newSiteOn(t, plane) }

func newSiteOn(t *testing.T, plane *kube.ControlPlane) *site {
	t.Helper()
	namespace, err := plane.Namespace(t.Context(), "e2e")
	if err != nil {
		t.Fatal(err)
	}
	return &site{T: t, plane: plane, namespace: namespace, outside: clientFor(t, plane.Config())}
}

// ownPlane starts a control plane that the test may break.
func ownPlane(t *testing.T) *kube.ControlPlane {
	t.Helper()
	plane, err := kube.Start(t.Context(), kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

func clientFor(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// store starts a store with a client of its own, as another process would have.
func (s *site) store(change ...func(*rest.Config, *mapstore.Options)) *mapstore.Store {
	s.Helper()
	store := s.unsynced(change...)
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	if err := store.WaitForSync(ctx); err != nil {
		s.Fatal(err)
	}
	return store
}

func (s *site) unsynced(change ...func(*rest.Config, *mapstore.Options)) *mapstore.Store {
	s.Helper()
	config, opts := s.plane.Config(), mapstore.Options{}
	for _, c := range change {
		c(config, &opts)
	}
	store, err := mapstore.New(clientFor(s.T, config), s.namespace, mapName, opts)
	if err != nil {
		s.Fatal(err)
	}
	s.run(store)
	return store
}

// run starts a store that ends with the test.
func (s *site) run(store *mapstore.Store) {
	s.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := store.Start(context.Background()); err != nil {
			s.Errorf("Start: %v", err)
		}
	}()
	s.Cleanup(func() {
		store.Close()
		<-ended
	})
}

// within returns a ctx that ends in time for the test to report why.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func (s *site) create(data map[string]string) *corev1.ConfigMap {
	s.Helper()
	return s.createMap(&corev1.ConfigMap{Data: data})
}

func (s *site) createMap(object *corev1.ConfigMap) *corev1.ConfigMap {
	s.Helper()
	object.Name = mapName
	created, err := s.outside.CoreV1().ConfigMaps(s.namespace).Create(s.Context(), object, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return created
}

func (s *site) get() *corev1.ConfigMap {
	s.Helper()
	object, err := s.outside.CoreV1().ConfigMaps(s.namespace).Get(s.Context(), mapName, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return object
}

// patch edits the map as `kubectl patch --type=merge` does.
func (s *site) patch(json string) *corev1.ConfigMap {
	s.Helper()
	object, err := s.outside.CoreV1().ConfigMaps(s.namespace).Patch(s.Context(), mapName, types.MergePatchType, []byte(json), metav1.PatchOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return object
}

func (s *site) remove() {
	s.Helper()
	if err := s.outside.CoreV1().ConfigMaps(s.namespace).Delete(s.Context(), mapName, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
}

func (s *site) set(store *mapstore.Store, key, value string) {
	s.Helper()
	if err := store.Set(within(s.T, 20*time.Second), key, value); err != nil {
		s.Fatalf("Set(%s): %v", key, err)
	}
}

func (s *site) waitUntil(store *mapstore.Store, what string, cond func(*mapstore.Snapshot) bool) *mapstore.Snapshot {
	s.Helper()
	snapshot, err := store.WaitUntil(within(s.T, 20*time.Second), cond)
	if err != nil {
		s.Fatalf("waiting until %s: %v", what, err)
	}
	return snapshot
}

func (s *site) waitForRevision(store *mapstore.Store, revision string) *mapstore.Snapshot {
	s.Helper()
	snapshot, err := store.WaitFor(within(s.T, 20*time.Second), revision)
	if err != nil {
		s.Fatal(err)
	}
	return snapshot
}

// contents returns what a snapshot holds as a plain map.
func contents(snapshot *mapstore.Snapshot) map[string]string {
	return maps.Collect(snapshot.All())
}
