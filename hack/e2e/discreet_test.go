package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// canary is a value that is recognised anywhere.
const canary = "canary-4711"

// An overheard is everything that a logger was given, at any verbosity.
type overheard struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

func (o *overheard) logger() logr.Logger {
	return funcr.New(func(prefix, args string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		fmt.Fprintln(&o.text, prefix, args)
	}, funcr.Options{Verbosity: 127})
}

func (o *overheard) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Promise 12, for what the store says: whatever goes wrong with a value, it is in
// no error. What a server quotes is its word, and goes to who wrote the value, but
// to no log.
func TestNoValueIsEverLoggedOrPutIntoAnError(t *testing.T) {
	s, network := newSite(t), &rig.Network{}
	var log overheard
	store := s.storeOf(s.client(s.plane.Config(), network),
		mapstore.Options{Logger: log.logger(), MaxBackoff: 20 * time.Millisecond, StaleAfter: 2 * time.Second})
	s.set(store, "k", canary)
	store.OnChange(func(c mapstore.Change) {
		value, _ := c.New.Get("k")
		panic(fmt.Sprintf("cannot parse %q", value))
	})
	discreet := func(what string, err error) {
		t.Helper()
		if text := fmt.Sprint(err); err == nil || strings.Contains(text, canary) {
			t.Errorf("%s: %.300s", what, text)
		}
	}
	discreet("too large", store.Set(s.within(), "k", canary+strings.Repeat("x", 1<<20)))
	discreet("a bad key", store.Set(s.within(), "bad key", canary))
	object := s.patch(`{"immutable":true}`)
	s.waitFor(store, object.ResourceVersion)
	discreet("an immutable map", store.Set(s.within(), "k", canary+"2"))
	s.remove()
	s.waitFor(store, s.create(&corev1.ConfigMap{Data: map[string]string{"k": canary}}).ResourceVersion)

	const quotingStatus = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","message":"no ` + canary + `"}`
	for _, answer := range []struct{ contentType, body string }{
		{"", ""},
		{"text/plain", "policy: value " + canary + " is not allowed"},
		{"application/json", `{"kind":"ConfigMap","apiVersion":"v1","data":{"k":"` + canary}, // cut
		{"application/vnd.kubernetes.protobuf", "k8s\x00" + canary},
		{"application/json", quotingStatus},
	} {
		for _, status := range []int{400, 403, 404, 409, 413, 422, 429, 500, 503, 200} {
			if status == 200 && answer.body == quotingStatus {
				continue // that is a server's word, too
			}
			ctx, cancel := context.WithCancel(s.within())
			var met atomic.Int32
			network.OnRequest(func(request *http.Request) (*http.Response, error) {
				if request.Method != http.MethodPut && status != 200 { // what only reads brings nobody a value to quote
					return nil, nil
				}
				if met.Add(1) == 4 { // who repeats it, repeats it for ever
					cancel()
				}
				response := rig.Answer(request, status, false)
				response.Header.Set("Content-Type", answer.contentType)
				response.Body = io.NopCloser(strings.NewReader(answer.body))
				return response, nil
			})
			err := store.Set(ctx, "k", canary+fmt.Sprint(status))
			cancel()
			network.OnRequest(nil)
			if met.Load() == 0 || err == nil {
				t.Errorf("%d as %s: %d requests, %v", status, answer.contentType, met.Load(), err)
			}
			if answer.body == "" || status == 200 {
				discreet(fmt.Sprintf("%d as %s", status, answer.contentType), err)
			}
		}
	}
	s.set(store, "k", canary+"3")
	store.Close()
	for what, said := range map[string]bool{"callback panicked": true, "discreet_test.go": true, canary: false, "xxxxxxxxxx": false} {
		if text := log.String(); strings.Contains(text, what) != said {
			t.Errorf("%s: %v in the log, want %v:\n%.3000s", what, !said, said, text)
		}
	}
}

// Promise 12, for what lies below: at its highest verbosity client-go would log
// whole requests and answers.
func TestClientGosOwnLogHasNoValue(t *testing.T) {
	var log overheard
	klog.SetLogger(log.logger())
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	verbosity := flags.Lookup("v").Value.String()
	if err := flags.Set("v", "10"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		klog.ClearLogger()
		if err := flags.Set("v", verbosity); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t)
	store, other := s.store(nil), s.store(nil)
	s.set(store, "k", canary)
	written, err := store.Update(s.within(), func(tx *mapstore.Tx) error { tx.Set("k", canary+"2"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	s.waitFor(other, written.Revision())
	if _, err := other.Sync(s.within()); err != nil {
		t.Fatal(err)
	}
	if err := other.Verify(s.within()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), canary) {
		t.Errorf("the value is in client-go's log:\n%.3000s", &log)
	}

	// That this log would have had it shows with a client of its own.
	s.patch(`{"data":{"k":"` + canary + `3"}}`)
	if !strings.Contains(log.String(), canary) {
		t.Error("client-go's log does not have a plain client's value either: the test shows nothing")
	}
}

// Promise 12, for what callers print.
func TestWhatIsPrintedHasNoValue(t *testing.T) {
	s := newSite(t)
	store := s.store(nil)
	s.set(store, "k", canary)
	var change mapstore.Change
	for change = range store.Changes(t.Context()) {
		break
	}
	// Not the store: it is printed by its fields, which others write.
	text := ""
	for _, value := range []any{store.Snapshot(), change, &change, store.Status()} {
		text += fmt.Sprintf("%v\n%+v\n%#v\n%s\n", value, value, value, value)
	}
	if strings.Contains(text, canary) || !strings.Contains(text, "1 keys at revision") {
		t.Errorf("this is printed:\n%s", text)
	}
}
