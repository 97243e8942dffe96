package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

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

// Promise 12, for what others say: an answer that quotes a value is its server's,
// and goes to who wrote the value, but to no log.
func TestWhatAServerQuotesIsNotLogged(t *testing.T) {
	const canary = "canary-4711"
	quoting := map[string]struct{ contentType, body string }{
		"plain text":          {"text/plain", "policy: value " + canary + " is not allowed"},
		"a Status":            {"application/json", `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","message":"no ` + canary + `","details":{"causes":[{"reason":"FieldValueInvalid","message":"` + canary + `","field":"data"}]}}`},
		"JSON that is cut":    {"application/json", `{"kind":"ConfigMap","apiVersion":"v1","data":{"k":"` + canary},
		"protobuf that isn't": {"application/vnd.kubernetes.protobuf", "k8s\x00" + canary},
	}
	for name, answer := range quoting {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			var log overheard
			net := &network{}
			store := s.store(net.through, func(_ *rest.Config, opts *mapstore.Options) {
				opts.Logger, opts.MaxBackoff, opts.StaleAfter = log.logger(), 20*time.Millisecond, 2*time.Second
			})
			s.set(store, "k", canary)
			for _, status := range []int{200, 400, 403, 409, 422, 429, 500, 503} {
				if status == 200 && name == "a Status" {
					continue // that is a server's word, too
				}
				net.onRequest(func(request *http.Request) (*http.Response, error) {
					if request.Method != http.MethodPut && status != 200 { // what only reads brings nobody a value to quote
						return nil, nil
					}
					return &http.Response{
						StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
						Header: http.Header{"Content-Type": {answer.contentType}},
						Body:   io.NopCloser(strings.NewReader(answer.body)),
					}, nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				err := store.Set(ctx, "k", canary+fmt.Sprint(status))
				cancel()
				if err == nil {
					t.Errorf("%d: Set succeeded", status)
				}
				if status == 200 && strings.Contains(fmt.Sprint(err), canary) {
					t.Errorf("%d: the value is in: %v", status, err)
				}
				if status == 200 { // the next list finds the same
					settles(t, "log lines", func() bool { return log.String() != "" })
				}
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("the value is in the log:\n%s", &log)
			}
		})
	}
}

// Promise 12, for what lies below: at its highest verbosity client-go would log
// whole requests and answers.
func TestClientGosOwnLogHasNoValue(t *testing.T) {
	const canary = "canary-4711"
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
	store, other := s.store(), s.store()
	s.set(store, "k", canary)
	written, err := store.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("k", canary+"2"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	s.waitForRevision(other, written.Revision())
	if _, err := other.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.remove()
	s.waitUntil(store, "the map is gone", func(now *mapstore.Snapshot) bool { return !now.Exists() })
	if strings.Contains(log.String(), canary) {
		t.Errorf("the value is in client-go's log:\n%.3000s", &log)
	}

	// That this log would have had it shows with a client of its own.
	s.create(map[string]string{"k": canary})
	if !strings.Contains(log.String(), canary) {
		t.Error("client-go's log does not have a plain client's value either: the test shows nothing")
	}
}

// Promise 12, for what callers print.
func TestWhatIsPrintedHasNoValue(t *testing.T) {
	const canary = "canary-4711"
	s := newSite(t)
	var log overheard
	store := s.store(func(_ *rest.Config, opts *mapstore.Options) { opts.Logger = log.logger() })
	s.set(store, "k", canary)
	var change mapstore.Change
	for change = range store.Changes(t.Context()) {
		break
	}
	var printed bytes.Buffer
	for _, value := range []any{store, store.Snapshot(), change, &change, store.Status()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	if strings.Contains(printed.String(), canary) {
		t.Errorf("the value is in what is printed:\n%s", &printed)
	}
	if !strings.Contains(printed.String(), "1 keys at revision") {
		t.Errorf("a snapshot prints as\n%s", &printed)
	}

	func() {
		defer func() {
			if recovered := recover(); recovered != canary {
				t.Errorf("Update panicked with %v", recovered)
			}
		}()
		_, _ = store.Update(t.Context(), func(*mapstore.Tx) error { panic(canary) })
	}()
	done := make(chan struct{})
	store.OnChange(func(mapstore.Change) {
		defer close(done)
		panic(quotingError{canary})
	})
	<-done
	store.Close()
	if text := log.String(); strings.Contains(text, canary) || !strings.Contains(text, "quotingError") {
		t.Errorf("the log of panics:\n%s", text)
	}
}

// A quotingError claims to be one of Go's own, which quote nothing.
type quotingError struct{ text string }

func (e quotingError) Error() string { return e.text }
func (quotingError) RuntimeError()   {}
