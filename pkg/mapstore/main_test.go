package mapstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// TestMain lets the examples open stores as a program would: from a kubeconfig
// that the environment names. The cluster behind it is in memory.
func TestMain(m *testing.M) {
	os.Exit(leak.Check(run(m)))
}

func run(m *testing.M) int {
	server := httptest.NewServer(&memapi.Server{})
	defer server.Close()
	dir, err := os.MkdirTemp("", "mapstore")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, namespace: default}}]
clusters: [{name: test, cluster: {server: %q}}]
`, server.URL), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", kubeconfig)
	os.Unsetenv("NAMESPACE")
	return m.Run()
}

// start runs a store for the map default/settings until the end of the test, and
// waits for the first sync.
func start(t *testing.T, client kubernetes.Interface) *mapstore.Store {
	t.Helper()
	store, err := mapstore.New(client, "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := store.Start(t.Context()); err != nil {
			t.Errorf("Start: %v", err)
		}
	}()
	t.Cleanup(func() {
		store.Close()
		<-ended
	})
	if err := store.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

// startOn starts a store whose Updates go through the function.
func startOn(t *testing.T, config *rest.Config, update func(http.RoundTripper, *http.Request) (*http.Response, error)) *mapstore.Store {
	t.Helper()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut {
				return next.RoundTrip(r)
			}
			return update(next, r)
		})
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, client)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// started returns an API server, and a store on it whose map has k = v.
func started(t *testing.T) (*mapstoretest.API, *mapstore.Store) {
	t.Helper()
	api := mapstoretest.NewAPI(t)
	api.ConfigMap("default", "settings").Set("k", "v")
	store := api.Open(t, "settings", mapstore.Options{})
	set(t, store, "k", "v") // its own id is in the ledger from now on
	return api, store
}

func values(api *mapstoretest.API) map[string]string {
	return api.ConfigMap("default", "settings").Values()
}

func set(t *testing.T, store *mapstore.Store, key, value string) {
	t.Helper()
	if err := store.Set(t.Context(), key, value); err != nil {
		t.Error(err)
	}
}

// write sets a key to something new.
func write(t *testing.T, store *mapstore.Store, key string) {
	t.Helper()
	set(t, store, key, time.Now().String())
}

func increment(tx *mapstore.Tx) error {
	tx.Set("n", strconv.Itoa(number(tx, "n")+1))
	return nil
}

func add(t *testing.T, store *mapstore.Store) *mapstore.Snapshot {
	t.Helper()
	now, err := store.Update(t.Context(), increment)
	if err != nil {
		t.Error(err)
	}
	return now
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// expectNotApplied takes the error of a write whose ctx has ended before it was sent.
func expectNotApplied(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("%v; want that it was not applied in time", err)
	}
}
