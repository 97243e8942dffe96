package mapstoretest

import (
	"context"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// An API is a connection to an API server in memory, which is empty at first.
// Methods that can fail the test must be called from the test's goroutine, as
// t.Fatal must; the others may be called from any.
type API struct {
	t       testing.TB
	cluster *cluster
	link    *link
}

// A cluster is an API server and the connections to it.
type cluster struct {
	server  memapi.Server
	outside wire // bypasses all faults

	mu    sync.Mutex // protects links
	links []*link
}

// NewAPI starts an API server. It ends with the test, and with it all requests and
// watches.
func NewAPI(t testing.TB) *API {
	t.Helper()
	c := &cluster{}
	c.outside.handler = &c.server
	t.Cleanup(c.outside.handlers.Wait)
	return newAPI(t, c)
}

// Peer returns another connection to the same API server, as another process would
// have it. A fault of one connection does not affect the others.
func (a *API) Peer() *API {
	a.t.Helper()
	return newAPI(a.t, a.cluster)
}

func newAPI(t testing.TB, c *cluster) *API {
	t.Helper()
	wire := &wire{handler: &c.server}
	link := newLink(wire)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links = append(c.links, link)
	t.Cleanup(func() {
		link.close()
		wire.handlers.Wait()
	})
	return &API{t: t, cluster: c, link: link}
}

// Config returns a client configuration for the API server, without a rate limit.
// The caller may change it and wrap its transport.
func (a *API) Config() *rest.Config {
	return &rest.Config{Host: "http://mapstoretest.invalid", Transport: a.link, QPS: -1}
}

// Client returns a new client for the API server, without a rate limit.
func (a *API) Client() *kubernetes.Clientset {
	a.t.Helper()
	return newClient(a.t, a.Config())
}

func newClient(t testing.TB, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	return client
}

// syncTimeout is how long Open waits for a store, on a slow machine under load. A
// test whose store is to fail calls Start.
const syncTimeout = time.Minute

// Open runs a store for the ConfigMap name in opts.Namespace, or in "default" if
// that is empty, and waits for the first sync. The store is closed when t ends; t
// may be a subtest.
func (a *API) Open(t testing.TB, name string, opts mapstore.Options) *mapstore.Store {
	t.Helper()
	store := a.Start(t, name, opts)
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	if err := store.WaitForSync(ctx); err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	return store
}

// Start is like Open but does not wait for the first sync.
func (a *API) Start(t testing.TB, name string, opts mapstore.Options) *mapstore.Store {
	t.Helper()
	return start(t, newClient(t, a.Config()), name, opts)
}

// OpenFamily runs a family for the ConfigMaps in opts.Namespace, or in "default", that the
// selector matches, and waits for the first sync. It is closed when t ends.
func (a *API) OpenFamily(t testing.TB, selector string, opts mapstore.Options) *mapstore.Family {
	t.Helper()
	family := a.StartFamily(t, selector, opts)
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	if err := family.WaitForSync(ctx); err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	return family
}

// StartFamily is like OpenFamily but does not wait for the first sync.
func (a *API) StartFamily(t testing.TB, selector string, opts mapstore.Options) *mapstore.Family {
	t.Helper()
	return startFamily(t, newClient(t, a.Config()), selector, opts)
}

func startFamily(t testing.TB, client kubernetes.Interface, selector string, opts mapstore.Options) *mapstore.Family {
	t.Helper()
	family, err := mapstore.NewFamily(client, namespaceOf(opts), selector, opts)
	if err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	runUntilEnd(t, family)
	return family
}

func start(t testing.TB, client kubernetes.Interface, name string, opts mapstore.Options) *mapstore.Store {
	t.Helper()
	store, err := mapstore.New(client, namespaceOf(opts), name, opts)
	if err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	runUntilEnd(t, store)
	return store
}

func namespaceOf(opts mapstore.Options) string {
	if opts.Namespace == "" {
		return "default"
	}
	return opts.Namespace
}

// runUntilEnd runs a store or a family until the test ends.
func runUntilEnd(t testing.TB, r interface {
	Start(ctx context.Context) error
	Close() error
}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Start(context.Background()); err != nil {
			t.Errorf("mapstoretest: Start: %v", err)
		}
	}()
	t.Cleanup(func() {
		_ = r.Close()
		<-ended
	})
}

// NewStore returns a running store with these values, for tests that need no access
// to its API server. It is closed when t ends.
func NewStore(t testing.TB, values map[string]string) *mapstore.Store {
	t.Helper()
	api := NewAPI(t)
	api.ConfigMap("default", "settings").Put(values)
	return api.Open(t, "settings", mapstore.Options{})
}

// Rewind takes the cluster back to revision, as a restore from a backup does: later
// commits are lost, their revisions are used again, and all connections break. The
// test fails if there was no such revision, or if it was before a Compact.
func (a *API) Rewind(revision string) {
	a.t.Helper()
	if !a.cluster.server.Rewind(revision) {
		a.t.Fatalf("mapstoretest: there is no revision %q to go back to", revision)
	}
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	for _, link := range a.cluster.links {
		link.breakStreams()
	}
}

// Compact makes the API server forget its history, as a real one does after some
// minutes: a watch that begins at an earlier revision gets 410 Gone. Open watches
// go on.
func (a *API) Compact() { a.cluster.server.Compact() }
