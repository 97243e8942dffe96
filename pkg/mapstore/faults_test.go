package mapstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// onPut hands each PUT, once armed, to fn, with its number from 1.
func onPut(armed *atomic.Bool, fn func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error)) func(*rest.Config) {
	var n atomic.Int32
	return through(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut || !armed.Load() {
				return next.RoundTrip(r)
			}
			return fn(n.Add(1), r, next)
		})
	})
}

func answer(r *http.Request, code int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: code, Status: strconv.Itoa(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: http.NoBody, Request: r,
	}
}

// commit sends the request and throws its answer away.
func commit(t *testing.T, r *http.Request, next http.RoundTripper) {
	t.Helper()
	response, err := next.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the first request: %v", err)
		return
	}
	response.Body.Close()
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// Whatever comes back in place of the first answer, the commit is found.
func TestACommitIsNotRepeatedWhateverItsAnswerBecomes(t *testing.T) {
	busy := http.Header{"Retry-After": {"0"}}
	for name, replace := range map[string]func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error){
		"a broken connection": func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error) {
			return nil, syscall.ECONNRESET
		},
		"500": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 500, nil), nil
		},
		"504": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 504, nil), nil
		},
		"408": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 408, nil), nil
		},
		"429": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 429, nil), nil
		},
		"503, and it is resent": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 503, busy), nil
		},
		"429, and it is resent": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return answer(r, 429, busy), nil
		},
		"an answer that hangs": func(_ int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"503, then no connection": func(n int32, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			if n == 1 {
				return answer(r, 503, busy), nil
			}
			return nil, errRefused
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			store := newCluster(t).store(onPut(&armed, func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				switch {
				case n == 1:
					commit(t, r, next)
				case name != "503, then no connection" || n > 2:
					return next.RoundTrip(r)
				}
				return replace(n, r, next)
			}))
			if _, err := store.Update(t.Context(), increment); err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			start := time.Now()
			if _, err := store.Update(t.Context(), increment); err != nil {
				t.Errorf("Update: %v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("Update took %v", took)
			}
			now, err := store.Sync(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := now.Get("n"); n != "2" {
				t.Errorf("n = %s after 2 increments", n)
			}
		})
	}
}

func TestARequestThatNeverArrivedIsRepeated(t *testing.T) {
	for name, replace := range map[string]func(r *http.Request) (*http.Response, error){
		"refused": func(*http.Request) (*http.Response, error) { return nil, errRefused },
		"reset":   func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET },
		"429":     func(r *http.Request) (*http.Response, error) { return answer(r, 429, nil), nil },
		"500":     func(r *http.Request) (*http.Response, error) { return answer(r, 500, nil), nil },
		"409":     func(r *http.Request) (*http.Response, error) { return answer(r, 409, nil), nil },
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			store := newCluster(t).store(onPut(&armed, func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if n <= 3 {
					return replace(r)
				}
				return next.RoundTrip(r)
			}))
			if _, err := store.Update(t.Context(), increment); err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			if _, err := store.Update(t.Context(), increment); err != nil {
				t.Errorf("Update: %v", err)
			}
			if n, _ := store.Get("n"); n != "2" {
				t.Errorf("n = %s after 2 increments", n)
			}
		})
	}
}

// A ctx that ends in the very moment of the outcome gives one or the other.
func TestAnOutcomeIsASnapshotOrAnError(t *testing.T) {
	store := newCluster(t).store()
	if err := store.Set(t.Context(), "n", "0"); err != nil {
		t.Fatal(err)
	}
	acknowledged, unknown := 0, 0
	for i := range 1500 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(200+i%800)*time.Microsecond)
		snapshot, err := store.Update(ctx, increment)
		cancel()
		switch {
		case (err == nil) == (snapshot == nil):
			t.Fatalf("Update = %v, %v", snapshot, err)
		case err == nil:
			acknowledged++
		case errors.Is(err, mapstore.ErrUnknownOutcome):
			unknown++
		}
	}
	now, err := store.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := strconv.Atoi(get(now, "n")); n < acknowledged || n > acknowledged+unknown {
		t.Errorf("n = %d after %d acknowledged and %d unknown increments", n, acknowledged, unknown)
	}
}

func get(s *mapstore.Snapshot, key string) string {
	value, _ := s.Get(key)
	return value
}

// What the server refuses for one of a batch, it refuses for that one alone.
func TestARejectedTransactionDoesNotTakeItsBatchAlong(t *testing.T) {
	var armed atomic.Bool
	entered, release := make(chan struct{}), make(chan struct{})
	store := newCluster(t).store(onPut(&armed, func(n int32, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if n == 1 {
			close(entered)
			<-release
		}
		return rejecting("forbidden-key", r, next)
	}))
	if err := store.Set(t.Context(), "n", "0"); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := store.Set(t.Context(), "first", "1"); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-entered
	for i := range 8 {
		wg.Go(func() {
			if err := store.Set(t.Context(), "good-"+strconv.Itoa(i), "1"); err != nil {
				t.Errorf("a good one: %v", err)
			}
		})
	}
	wg.Go(func() {
		if err := store.Set(t.Context(), "forbidden-key", "1"); !apierrors.IsInvalid(err) {
			t.Errorf("the bad one: %v", err)
		}
	})
	close(release)
	wg.Wait()
	if n := store.Snapshot().Len(); n != 10 {
		t.Errorf("%d keys, want 10", n)
	}
}

// rejecting answers as an admission policy does that forbids a key.
func rejecting(key string, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	sent, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(sent), key) {
		return answer(r, 422, nil), nil
	}
	return next.RoundTrip(r)
}

func TestCloseEndsASync(t *testing.T) {
	entered := make(chan struct{})
	var armed atomic.Bool
	store := newCluster(t).store(through(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if armed.Load() && r.Method == http.MethodGet {
				close(entered)
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}))
	armed.Store(true)
	ended := make(chan error, 1)
	go func() {
		_, err := store.Sync(t.Context())
		ended <- err
	}()
	<-entered
	store.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, mapstore.ErrClosed) {
			t.Errorf("Sync: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Close returned while a request was in flight")
	}
}

// The revision of an absent map is the cluster's, which goes on without it.
func TestWaitForTheRevisionOfAnAbsentMap(t *testing.T) {
	c := newCluster(t)
	early := c.store()
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if _, err := c.client().CoreV1().ConfigMaps("ns").Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	late, err := c.store().Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if now, err := early.WaitFor(ctx, late.Revision()); err != nil || now.Exists() {
		t.Errorf("WaitFor: %v", err)
	}
}

// A restored server that has come to the same revision on another way.
func TestAnotherHistoryOfTheSameRevisionIsAReset(t *testing.T) {
	c := newCluster(t)
	store := c.store()
	var revisions []string
	for range 3 {
		now, err := store.Update(t.Context(), increment)
		if err != nil {
			t.Fatal(err)
		}
		revisions = append(revisions, now.Revision())
	}
	c.api.Rewind(revisions[0])
	maps := c.client().CoreV1().ConfigMaps("ns")
	for i := range 2 {
		object, err := maps.Get(t.Context(), "settings", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		object.Data["foreign"] = strconv.Itoa(i)
		if object, err = maps.Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 1 && object.ResourceVersion != revisions[2] {
			t.Fatalf("revision %s, want %s again", object.ResourceVersion, revisions[2])
		}
	}
	now, err := store.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if get(now, "n") != "1" || get(now, "foreign") != "1" {
		t.Errorf("n = %q, foreign = %q after the restore", get(now, "n"), get(now, "foreign"))
	}
}

// A server that sends nothing, not even bookmarks, for longer than StaleAfter.
func TestASilentServerMakesTheCopyStale(t *testing.T) {
	c := newCluster(t)
	store, err := mapstore.New(c.client(), "ns", "settings", mapstore.Options{StaleAfter: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c.start(store)
	checkBecomes := func(what string, cond func(error) bool) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond) // Status has no event to wait for
		defer tick.Stop()
		deadline := time.After(10 * time.Second)
		for !cond(store.Check(nil)) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("Check: %v, want it %s", store.Check(nil), what)
			}
		}
	}
	checkBecomes("to tell of the silence", func(err error) bool { return err != nil && strings.Contains(err.Error(), "silent") })
	checkBecomes("to be well when the watch is opened anew", func(err error) bool { return err == nil })
}

func TestReconnectingStaysWithinMaxBackoff(t *testing.T) {
	c := newCluster(t)
	var down atomic.Bool
	attempts := make(chan struct{}, 1000)
	client := c.client(func(config *rest.Config) {
		through(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if down.Load() {
					attempts <- struct{}{}
					return nil, errors.New("down")
				}
				return next.RoundTrip(r)
			})
		})(config)
	})
	store, err := mapstore.New(client, "ns", "settings", mapstore.Options{MaxBackoff: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c.start(store)
	down.Store(true)
	c.server.CloseClientConnections()
	deadline := time.After(10 * time.Second)
	for n := range 50 { // doubled without a cap, the delays would take years
		select {
		case <-attempts:
		case <-deadline:
			t.Fatalf("%d attempts to reconnect in 10 s", n)
		}
	}
	down.Store(false)
	if err := store.Set(t.Context(), "k", "v"); err != nil {
		t.Errorf("Set after the outage: %v", err)
	}
}
