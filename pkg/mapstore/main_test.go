package mapstore_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
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

// A cluster is an API server of a test's own.
type cluster struct {
	*testing.T
	api    *memapi.Server
	server *httptest.Server
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	api := &memapi.Server{}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &cluster{T: t, api: api, server: server}
}

func (c *cluster) client(change ...func(*rest.Config)) *kubernetes.Clientset {
	c.Helper()
	config := &rest.Config{Host: c.server.URL, QPS: -1}
	for _, ch := range change {
		ch(config)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		c.Fatal(err)
	}
	return client
}

// store returns a running store for the map ns/settings.
func (c *cluster) store(change ...func(*rest.Config)) *mapstore.Store {
	c.Helper()
	store, err := mapstore.New(c.client(change...), "ns", "settings", mapstore.Options{})
	if err != nil {
		c.Fatal(err)
	}
	return c.start(store)
}

func (c *cluster) start(store *mapstore.Store) *mapstore.Store {
	c.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := store.Start(c.Context()); err != nil {
			c.Errorf("Start: %v", err)
		}
	}()
	c.Cleanup(func() {
		store.Close()
		<-ended
	})
	if err := store.WaitForSync(c.Context()); err != nil {
		c.Fatal(err)
	}
	return store
}

func set(t *testing.T, store *mapstore.Store, key, value string) {
	t.Helper()
	if err := store.Set(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}
