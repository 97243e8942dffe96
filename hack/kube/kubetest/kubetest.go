// Package kubetest has what tests on a control plane have in common.
package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Main starts a control plane into *plane, runs the tests of a package, stops it, and
// returns what TestMain exits with. It is 0, without a test, where no control plane is
// supported, and 1 when goroutines are left of tests that passed.
func Main(m interface{ Run() int }, plane **kube.ControlPlane) int {
	var err error
	if *plane, err = kube.Start(context.Background(), kube.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errors.ErrUnsupported) {
			return 0
		}
		return 1
	}
	code := m.Run()
	err = (*plane).Stop()
	if err == nil && code == 0 { // a test that failed may have had no chance to clean up
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Namespace returns a new namespace, and a client for the control plane.
func Namespace(t testing.TB, plane *kube.ControlPlane, prefix string) (string, *kubernetes.Clientset) {
	t.Helper()
	namespace, err := plane.Namespace(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	return namespace, client
}

// Store runs a store for the map "settings" and waits for its first sync. The store is
// closed when t ends.
func Store(t testing.TB, client kubernetes.Interface, namespace string) *mapstore.Store {
	t.Helper()
	store, err := mapstore.New(client, namespace, "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Start(context.Background()) }()
	t.Cleanup(func() {
		store.Close()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := store.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return store
}
