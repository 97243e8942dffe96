package mapstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// through returns a client whose requests go through the function.
func through(t *testing.T, config *rest.Config, fn func(http.RoundTripper, *http.Request) (*http.Response, error)) kubernetes.Interface {
	t.Helper()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return fn(next, r) })
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Fifty stores share a client with client-go's own limit. Each needs two requests, and
// gets them when it is its turn: nobody gives its place up and asks again.
func TestManyStoresOnOneLimitedClientAllSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := mapstoretest.NewAPI(t).Config()
		config.QPS, config.Burst = 0, 0 // what everybody has: 5 a second, 10 at once
		var requests atomic.Int32
		client := through(t, config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			requests.Add(1)
			return next.RoundTrip(r)
		})
		began := time.Now()
		const stores = 50
		synced := make(chan error)
		for i := range stores {
			store, err := mapstore.New(client, "default", fmt.Sprintf("settings-%d", i), mapstore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = store.Start(t.Context()) }()
			t.Cleanup(func() { store.Close() })
			go func() { synced <- store.WaitForSync(t.Context()) }()
		}
		for range stores {
			if err := <-synced; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 18*time.Second || requests.Load() != 2*stores {
			t.Errorf("all are synced after %v and %d requests", took, requests.Load())
		}
	})
}

// A paced reader brings so many bytes a second.
type paced struct {
	io.ReadCloser
	ctx  context.Context //nolint:containedctx // the request's
	rate int
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b[:min(len(b), 1+p.rate/10)])
	select {
	case <-time.After(time.Duration(n) * time.Second / time.Duration(p.rate)):
		return n, err
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
}

// A link may be slow. What counts is that it carries something, and not how long it takes
// for all: the store syncs, follows and writes. Only if a version takes longer than a
// watch may be silent for, the watch is opened anew.
func TestASlowLinkIsNoDeadNetwork(t *testing.T) {
	for rate, reopens := range map[int]bool{125_000: false, 12_000: true} {
		t.Run(fmt.Sprintf("%d bytes a second", rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				large := strings.Repeat("x", 1_000_000)
				api.ConfigMap("default", "settings").Put(map[string]string{"large": large})
				client := through(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
					if r.Body != nil {
						r.Body = &paced{r.Body, r.Context(), rate}
					}
					response, err := next.RoundTrip(r)
					if err == nil {
						response.Body = &paced{response.Body, r.Context(), rate}
					}
					return response, err
				})
				began := time.Now()
				store := start(t, client)
				if took := time.Since(began); took > 1_010_000*time.Second/time.Duration(rate) {
					t.Errorf("synced after %v", took)
				}
				for i := range 3 {
					if err := store.Set(within(t, 10*time.Minute), "k", strconv.Itoa(i)); err != nil {
						t.Fatal(err)
					}
				}
				stats := store.Stats()
				if value, _ := store.Get("large"); value != large || stats.Requests != 3 || !reopens && (stats.Reconnects > 0 || store.Check(nil) != nil) {
					t.Errorf("%d bytes, %+v, %v", len(value), stats, store.Check(nil))
				}
			})
		})
	}
}

// A proxy may begin to answer a watch with its first event only. The copy is current
// nevertheless, and follows; and a server that hangs behind the proxy is found out.
func TestAProxyThatKeepsTheAnswerToAWatchBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		settings := api.ConfigMap("default", "settings")
		settings.Put(map[string]string{"k": "1"})
		client := through(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("watch") == "" {
				return next.RoundTrip(r)
			}
			ctx, cancel := context.WithCancel(context.Background()) // without the trace, which would tell of the answer
			context.AfterFunc(r.Context(), cancel)
			response, err := next.RoundTrip(r.WithContext(ctx))
			if err != nil {
				return nil, err
			}
			first := make([]byte, 1)
			if _, err := io.ReadFull(response.Body, first); err != nil {
				return nil, err
			}
			response.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader(string(first)), response.Body), response.Body}
			return response, nil
		})
		began := time.Now()
		store := start(t, client)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("synced after %v", took)
		}
		settings.Set("k", "2")
		synctest.Wait()
		if k, _ := store.Get("k"); k != "2" {
			t.Errorf("k = %s after somebody has set it to 2", k)
		}
		for range 600 {
			time.Sleep(time.Second)
			if err := store.Check(nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := store.Stats().Reconnects; n > 2 { // a server ends a watch after five to ten minutes
			t.Errorf("%d watches were opened anew", n)
		}
		set(t, store, "k", "3")

		hang := api.Fail(mapstoretest.Hang())
		outcome := make(chan error)
		go func() { outcome <- store.Set(within(t, time.Minute), "k", "4") }()
		time.Sleep(4*time.Second + time.Millisecond)
		if store.Check(nil) == nil {
			t.Error("the server hangs, and all is said to be well")
		}
		hang.End()
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

// A request that takes long, where nothing else happens, is no reason to open the watch
// anew; one that takes for ever is.
func TestASlowWriteKeepsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		slow := api.Fail(mapstoretest.Slow(5*time.Second), "update")
		reads := api.Fail(mapstoretest.Slow(0), "get", "list", "watch")
		for range 10 {
			write(t, store, "k")
		}
		if n := store.Stats().Reconnects; n != 0 || reads.Met() > 10 {
			t.Errorf("%d watches and %d reads for ten slow writes", n, reads.Met())
		}
		reads.End()
		busy := api.Fail(mapstoretest.Answer(apierrors.NewTooManyRequests("busy", 1)), "get")
		write(t, store, "k")
		if n := store.Stats().Reconnects; n != 0 || busy.Met() == 0 {
			t.Errorf("%d watches for a slow write, while %d reads were told that the server is busy", n, busy.Met())
		}
		busy.End()
		slow.End()
		hang := api.Fail(mapstoretest.Hang())
		outcome := make(chan error)
		go func() { outcome <- store.Set(t.Context(), "k", "v") }()
		time.Sleep(4*time.Second + time.Millisecond)
		if store.Check(nil) == nil {
			t.Error("the server hangs, and all is said to be well")
		}
		hang.End()
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

// A watch is opened anew while its frames come as fast as they can: the store follows
// the new one, however the two fall together.
func TestFramesAtTheReopeningLeaveNobodyDeaf(t *testing.T) {
	t.Parallel()
	for trial := range 200 {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			settings := api.ConfigMap("default", "settings")
			settings.Put(map[string]string{"k": "0"})
			old := settings.Get()
			store := start(t, through(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/settings") {
					return next.RoundTrip(r)
				}
				return answerWith(r, old) // a server that is as of long ago
			}))
			var writers sync.WaitGroup
			var reopened atomic.Bool
			writers.Go(func() {
				for i := 0; i < 20 || !reopened.Load(); i++ {
					settings.Set("k", strconv.Itoa(i))
				}
			})
			for range 20 {
				runtime.Gosched()
			}
			if _, err := store.Sync(t.Context()); err != nil {
				t.Error(err)
			}
			reopened.Store(true)
			writers.Wait()
			settings.Set("k", "last")
			_, err := store.WaitUntil(within(t, 5*time.Second), func(now *mapstore.Snapshot) bool {
				k, _ := now.Get("k")
				return k == "last"
			})
			if err != nil {
				t.Errorf("trial %d: %v", trial, err)
			}
		})
	}
}

// answerWith answers a request with an object.
func answerWith(r *http.Request, object *corev1.ConfigMap) (*http.Response, error) {
	object = object.DeepCopy()
	object.Kind, object.APIVersion = "ConfigMap", "v1"
	body, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}
