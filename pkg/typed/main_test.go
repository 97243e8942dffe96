package typed_test

import (
	"os"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// open returns a store for the map that all stores of the API are for.
func open(t *testing.T, api *mapstoretest.API) *mapstore.Store {
	t.Helper()
	return api.Open(t, "settings", mapstore.Options{})
}

// unstarted returns a store, and what runs it until the end of the test.
func unstarted(t *testing.T, api *mapstoretest.API, opts mapstore.Options) (store *mapstore.Store, start func()) {
	t.Helper()
	store, err := mapstore.New(api.Client(), "default", "settings", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, func() {
		t.Helper()
		go func() { _ = store.Start(t.Context()) }()
		if err := store.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// listening returns a running store of a map that exists, and what it logs.
func listening(t *testing.T, api *mapstoretest.API) (*mapstore.Store, <-chan string) {
	t.Helper()
	api.ConfigMap("default", "settings").Put(nil)
	lines := make(chan string, 1000)
	return api.Open(t, "settings", mapstore.Options{Logger: listener(lines)}), lines
}

func listener(lines chan<- string) logr.Logger {
	return funcr.New(func(_, args string) {
		if !strings.Contains(args, `"msg"="Synced"`) {
			lines <- args
		}
	}, funcr.Options{Verbosity: 127})
}

// expect takes the next line, which must contain text.
func expect(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	if line := <-lines; !strings.Contains(line, text) {
		t.Errorf("the log says %s, want %q", line, text)
	}
}

func set(t *testing.T, store *mapstore.Store, key, value string) {
	t.Helper()
	if err := store.Set(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, store *mapstore.Store, key string) {
	t.Helper()
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// A step is one call of a callback.
type step[T any] struct{ old, new T }

// steps returns the chain of changes of a Value or Derived.
func steps[T any](v interface {
	OnChange(func(old, new T)) *watch.Subscription
}) <-chan step[T] {
	steps := make(chan step[T], 1000)
	v.OnChange(func(old, new T) { steps <- step[T]{old, new} })
	return steps
}

func next[T comparable](t *testing.T, from <-chan T, want T) {
	t.Helper()
	if got := <-from; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
