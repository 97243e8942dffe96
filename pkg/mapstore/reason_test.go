package mapstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// calls are the exported calls that wait for the server, or for what it brings.
func calls(store *mapstore.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"WaitForSync": store.WaitForSync,
		"Verify":      store.Verify,
		"Sync":        func(ctx context.Context) error { _, err := store.Sync(ctx); return err },
		"WaitFor":     func(ctx context.Context) error { _, err := store.WaitFor(ctx, "1000000"); return err },
		"WaitUntil": func(ctx context.Context) error {
			_, err := store.WaitUntil(ctx, func(*mapstore.Snapshot) bool { return false })
			return err
		},
		"Set":    func(ctx context.Context) error { return store.Set(ctx, "k", "v") },
		"Delete": func(ctx context.Context) error { return store.Delete(ctx, "k") },
		"Clear":  store.Clear,
		"Update": func(ctx context.Context) error { _, err := store.Update(ctx, increment); return err },
		"Changes": func(ctx context.Context) error {
			for range store.Changes(ctx) {
			}
			return ctx.Err()
		},
	}
}

// run starts a store that may never sync, and returns it.
func running(t *testing.T, config *rest.Config) *mapstore.Store {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	store, err := mapstore.New(client, "default", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go store.Start(t.Context()) //nolint:errcheck // it is closed below
	t.Cleanup(func() { store.Close() })
	return store
}

// credentials is a round tripper as client-go's are: one that gets credentials first.
type credentials struct {
	next http.RoundTripper
	get  func()
}

func (c credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	c.get()
	return c.next.RoundTrip(r)
}

func (c credentials) WrappedRoundTripper() http.RoundTripper { return c.next }

// Whatever does not listen to its ctx, no call waits for it, and its error says what it
// was. In virtual time: nothing of it depends on the machine.
func TestEveryCallEndsSoonAfterItsCtx(t *testing.T) {
	const soon = 100 * time.Millisecond
	// No multiple of it is one of the store's own time limits: at the very moment when an
	// attempt ends, what it had waited for is gone, and its error not there yet.
	const patience = 730 * time.Millisecond
	for name, row := range map[string]struct {
		blocks func(config *rest.Config, until <-chan struct{})
		says   string
	}{
		"credentials": {func(config *rest.Config, until <-chan struct{}) {
			config.Wrap(func(next http.RoundTripper) http.RoundTripper { return credentials{next, func() { <-until }} })
		}, "credentials"},
		"a resolver": {func(config *rest.Config, until <-chan struct{}) {
			config.Dial = func(context.Context, string, string) (net.Conn, error) { <-until; return nil, io.EOF }
		}, "connection"},
		"the rate limit": {func(config *rest.Config, _ <-chan struct{}) {
			config.QPS, config.Burst = 0.0001, 1
			config.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }
		}, "QPS"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				config := &rest.Config{Host: "http://mapstoretest.invalid", QPS: -1}
				row.blocks(config, until)
				store := running(t, config)
				synctest.Wait()
				for name, call := range calls(store) {
					ctx, began := within(t, patience), time.Now()
					err := call(ctx)
					if took := time.Since(began); took > patience+soon {
						t.Errorf("%s has taken %v", name, took)
					}
					if name != "Changes" && (err == nil || !strings.Contains(err.Error(), row.says)) {
						t.Errorf("%s: %v; want a word on %s", name, err, row.says)
					}
				}
				began := time.Now()
				store.Close()
				if took := time.Since(began); took > soon {
					t.Errorf("Close has taken %v", took)
				}
				close(until)
			})
		})
	}
}

// Where the server answers, its last word is in the error, whichever call it was.
func TestTheLastWordOfTheServerIsInEveryError(t *testing.T) {
	for name, row := range map[string]struct {
		fault mapstoretest.Fault
		says  func(error) bool
	}{
		"busy":            {mapstoretest.Answer(apierrors.NewTooManyRequests("too many requests", 1)), apierrors.IsTooManyRequests},
		"busy, no hint":   {mapstoretest.Answer(apierrors.NewTooManyRequests("too many requests", 0)), apierrors.IsTooManyRequests},
		"webhook":         {mapstoretest.Answer(apierrors.NewInternalError(errors.New(`failed calling webhook "x"`))), apierrors.IsInternalError},
		"unavailable":     {mapstoretest.Answer(apierrors.NewServiceUnavailable("shutting down")), apierrors.IsServiceUnavailable},
		"another failure": {mapstoretest.Answer(apierrors.NewInternalError(errors.New("?"))), apierrors.IsInternalError},
	} {
		for state, synced := range map[string]bool{"before the sync": false, "after it": true} {
			t.Run(name+" "+state, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := mapstoretest.NewAPI(t)
					api.ConfigMap("default", "settings").Set("k", "v")
					verbs := []string{}
					if synced { // the watch stays open
						verbs = []string{"get", "list", "update", "patch"}
					}
					var store *mapstore.Store
					if synced {
						store = api.Open(t, "settings", mapstore.Options{})
						api.Fail(row.fault, verbs...)
					} else {
						api.Fail(row.fault)
						store = api.Start(t, "settings", mapstore.Options{})
					}
					for name, call := range calls(store) {
						switch name {
						case "Changes":
							continue
						case "WaitForSync", "WaitUntil", "Verify": // what is in their way is not there
							if synced {
								continue
							}
						}
						if err := call(within(t, 5*time.Second)); !row.says(err) {
							t.Errorf("%s: the reason is lost: %v", name, err)
						}
					}
				})
			})
		}
	}
}

// Also if the requests do not leave the client for as long as their callers wait.
func TestStatusSaysThatNoWriteLeavesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "settings").Set("k", "v")
		config := api.Config()
		config.QPS, config.Burst = 0.1, 2 // the first list and the watch use it up
		store := startOn(t, config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) { return next.RoundTrip(r) })
		for range 3 {
			expectNotApplied(t, store.Set(within(t, time.Second), "k", "w"))
			synctest.Wait() // a caller who leaves does not wait for the request that it leaves
			if err := store.Status().WriteErr; err == nil || !strings.Contains(err.Error(), "QPS") {
				t.Errorf("WriteErr %v", err)
			}
		}
		if err := store.Set(within(t, time.Minute), "k", "x"); err != nil {
			t.Error(err)
		}
		if err := store.Status().WriteErr; err != nil {
			t.Errorf("after a write: %v", err)
		}
	})
}

// Reads are well and writes are not: Status says both.
func TestStatusSaysThatWritesKeepFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		expect := func(when string, says func(error) bool) {
			t.Helper()
			if now := store.Status(); now.Err != nil || !says(now.WriteErr) {
				t.Errorf("%s: Err %v, WriteErr %v", when, now.Err, now.WriteErr)
			}
		}
		none := func(err error) bool { return err == nil }
		expect("all is well", none)
		for _, text := range []string{"etcdserver: mvcc: database space exceeded", "etcdserver: request timed out"} { // a no, and what may be one
			failing := api.Fail(mapstoretest.Answer(apierrors.NewInternalError(errors.New(text))), "update")
			ended := make(chan error)
			go func() { ended <- store.Set(within(t, 10*time.Second), "k", text) }()
			time.Sleep(time.Second)
			expect("while a write is tried", apierrors.IsInternalError)
			if err := <-ended; !apierrors.IsInternalError(err) {
				t.Error(err)
			}
			expect("after it was given up", apierrors.IsInternalError)
			failing.End()
			set(t, store, "k", "x")
			expect("after another one", none)
		}

		denied := api.Fail(mapstoretest.Forbidden(), "update")
		_ = store.Set(t.Context(), "k", "y")
		expect("without the right", apierrors.IsForbidden)
		denied.End()
		set(t, store, "k", "y")
		api.FailNext(1, mapstoretest.Answer(apierrors.NewBadRequest("this value is bad")), "update")
		_ = store.Set(t.Context(), "k", "bad")
		expect("after one bad write", none)
	})
}

// Rights may have come since the last answer.
func TestADenialIsYoungerThanTheQuestion(t *testing.T) {
	for name, call := range map[string]func(context.Context, *mapstore.Store) error{
		"WaitForSync": func(ctx context.Context, s *mapstore.Store) error { return s.WaitForSync(ctx) },
		"Set":         func(ctx context.Context, s *mapstore.Store) error { return s.Set(ctx, "k", "v") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				denied := api.Fail(mapstoretest.Forbidden())
				store := api.Start(t, "settings", mapstore.Options{MaxBackoff: 10 * time.Second})
				for range 3 {
					if err := call(t.Context(), store); !apierrors.IsForbidden(err) {
						t.Errorf("while it is denied: %v", err)
					}
				}
				denied.End()
				if err := call(t.Context(), store); err != nil {
					t.Errorf("since the rights have come: %v", err)
				}
			})
		})
	}
}

// A misspelt name does not go unnoticed.
func TestAMapThatMustExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Start(t, "settings", mapstore.Options{MustExist: true})
		absent := func(when string) {
			t.Helper()
			for name, err := range map[string]error{
				"WaitForSync": store.WaitForSync(t.Context()), "Status": store.Status().Err, "Check": store.Check(nil),
				"Set": store.Set(t.Context(), "k", "v"),
			} {
				if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "default/settings") {
					t.Errorf("%s: %s: %v", when, name, err)
				}
			}
			if api.ConfigMap("default", "settings").Get() != nil {
				t.Errorf("%s: somebody has created it", when)
			}
		}
		absent("before it is created")
		api.ConfigMap("default", "settings").Set("k", "v")
		synctest.Wait()
		if err := errors.Join(store.WaitForSync(t.Context()), store.Check(nil), store.Set(t.Context(), "k", "w")); err != nil {
			t.Errorf("it exists: %v", err)
		}
		api.ConfigMap("default", "settings").Delete()
		synctest.Wait()
		absent("after it was deleted")
	})
}

func TestAMapThatNeedNotExistIsMentionedOnce(t *testing.T) {
	for _, exists := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			if exists {
				api.ConfigMap("default", "settings").Set("k", "v")
			}
			lines := 0
			logger := funcr.New(func(_, line string) {
				if strings.Contains(line, "does not exist") {
					lines++
				}
			}, funcr.Options{})
			api.Open(t, "settings", mapstore.Options{Logger: logger})
			api.Fail(mapstoretest.Refused()).End() // it connects again
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if (lines == 0) != exists || lines > 1 {
				t.Errorf("%d lines, and the map exists: %v", lines, exists)
			}
		})
	}
}
