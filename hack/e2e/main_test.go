// Package e2e holds the store to its promises on a real API server: through
// several stores at once, and beside writers that know nothing of it. What breaks
// around the stores is in its folder faults.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// plane is the control plane that all tests share. None of them breaks it, unless it is a
// soak, which runs alone.
var plane *kube.ControlPlane

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	if namespace := os.Getenv(asClient); namespace != "" {
		fmt.Fprintln(os.Stderr, beClient(namespace))
		return 1
	}
	if where := os.Getenv(asBackup); where != "" {
		fmt.Fprintln(os.Stderr, beClientWithBackup(where))
		return 1
	}
	if os.Getenv("KUBE_CACHE_MUTATION_DETECTOR") != "true" {
		fmt.Fprintln(os.Stderr, "set KUBE_CACHE_MUTATION_DETECTOR=true, as `make e2e` does")
		return 1
	}
	var err error
	if plane, err = kube.Start(context.Background(), kube.Options{}); err == nil {
		code = m.Run()
		err = plane.Stop()
	}
	if err == nil && code == 0 { // a test that failed may have had no chance to clean up
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
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
	outside   *rig.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	namespace, err := plane.Namespace(t.Context(), "e2e")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, plane: plane, namespace: namespace}
	s.outside = s.client(plane.Config(), nil)
	return s
}

// client returns a client whose requests go through network, if that is not nil.
func (s *site) client(config *rest.Config, network *rig.Network) *rig.Client {
	s.Helper()
	client, err := rig.NewClient(config, network)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Cut)
	return client
}

// store runs a store with a client of its own, as another process would have.
func (s *site) store(network *rig.Network) *mapstore.Store {
	s.Helper()
	return s.storeOf(s.client(s.plane.Config(), network), mapstore.Options{})
}

func (s *site) storeOf(client kubernetes.Interface, opts mapstore.Options) *mapstore.Store {
	s.Helper()
	store := s.start(client, opts)
	if err := store.WaitForSync(s.within()); err != nil {
		s.Fatal(err)
	}
	return store
}

// start runs a store until the end of the test, and does not wait for its sync.
func (s *site) start(client kubernetes.Interface, opts mapstore.Options) *mapstore.Store {
	s.Helper()
	store, err := mapstore.New(client, s.namespace, mapName, opts)
	if err != nil {
		s.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Start(context.Background()) }()
	s.Cleanup(func() {
		store.Close()
		if err := <-ended; err != nil {
			s.Errorf("Start: %v", err)
		}
	})
	return store
}

// within returns a ctx that ends in time for the test to report why.
func (s *site) within() context.Context {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), rig.Patience)
	s.Cleanup(cancel)
	return ctx
}

// until waits until cond holds.
func (s *site) until(what string, cond func() bool) {
	s.Helper()
	if err := rig.Until(s.Context(), rig.Patience, cond); err != nil {
		s.Fatalf("not %s: %v", what, err)
	}
}

func (s *site) maps() typedcorev1.ConfigMapInterface {
	return s.outside.CoreV1().ConfigMaps(s.namespace)
}

func (s *site) must(object *corev1.ConfigMap, err error) *corev1.ConfigMap {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	return object
}

func (s *site) create(object *corev1.ConfigMap) *corev1.ConfigMap {
	s.Helper()
	object.Name = mapName
	return s.must(s.maps().Create(s.within(), object, metav1.CreateOptions{}))
}

func (s *site) get() *corev1.ConfigMap {
	s.Helper()
	return s.must(s.maps().Get(s.within(), mapName, metav1.GetOptions{}))
}

// patch edits the map as `kubectl patch --type=merge` does.
func (s *site) patch(json string) *corev1.ConfigMap {
	s.Helper()
	return s.must(s.maps().Patch(s.within(), mapName, types.MergePatchType, []byte(json), metav1.PatchOptions{}))
}

func (s *site) remove() {
	s.Helper()
	if err := s.maps().Delete(s.within(), mapName, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
}

func (s *site) set(store *mapstore.Store, key, value string) {
	s.Helper()
	if err := store.Set(s.within(), key, value); err != nil {
		s.Fatalf("Set(%s): %v", key, err)
	}
}

func (s *site) waitFor(store *mapstore.Store, revision string) *mapstore.Snapshot {
	s.Helper()
	snapshot, err := store.WaitFor(s.within(), revision)
	if err != nil {
		s.Fatal(err)
	}
	return snapshot
}
