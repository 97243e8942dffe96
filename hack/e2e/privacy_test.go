package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promise 12: a value that is recognised anywhere must appear in no log line at
// any verbosity, and in no error.
func TestNoValueIsEverLoggedOrPutIntoAnError(t *testing.T) {
	const canary = "canary-4711"
	s := newSite(t)
	var mu sync.Mutex
	var lines []string
	note := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	net := &network{}
	store := s.store(net.through, func(_ *rest.Config, opts *mapstore.Options) {
		opts.Logger = funcr.New(func(prefix, args string) { note(prefix + " " + args) }, funcr.Options{Verbosity: 127})
		opts.MaxBackoff = 50 * time.Millisecond
	})
	collect := func(err error) {
		if err != nil {
			note(err.Error())
		}
	}
	set := func(value string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return store.Set(ctx, "k", value)
	}
	store.OnChange(func(c mapstore.Change) {
		value, _ := c.New.Get("k")
		panic(fmt.Sprintf("cannot parse %q", value))
	})
	collect(set(canary))
	collect(set(canary + strings.Repeat("x", 1<<20)))
	collect(store.Set(t.Context(), "bad key", canary))
	net.onAnswer(losing(1))
	collect(set(canary + "2"))
	net.onAnswer(nil)
	for _, status := range []int{400, 403, 404, 409, 413, 422, 429, 500, 503} {
		net.onAnswer(func(request *http.Request, response *http.Response) (*http.Response, error) {
			if request.Method == http.MethodPut {
				drain(response)
				response.StatusCode, response.Body = status, http.NoBody
			}
			return response, nil
		})
		collect(set(canary + fmt.Sprint(status)))
	}
	net.onAnswer(nil)
	net.onRequest(func(*http.Request) (*http.Response, error) { return nil, errLost })
	collect(set(canary + "3"))
	_, err := store.Sync(t.Context())
	collect(err)
	net.onRequest(nil)
	object := s.patch(`{"data":{"k":"` + canary + `4"},"immutable":true}`)
	s.waitForRevision(store, object.ResourceVersion)
	collect(set(canary + "5"))
	s.remove()
	s.create(map[string]string{"k": canary})
	s.waitUntil(store, "the map is back", func(now *mapstore.Snapshot) bool { return now.Exists() && now.UID() != object.UID })
	settles(t, "log lines", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(lines) > 12
	})
	store.Close()

	mu.Lock()
	defer mu.Unlock()
	panics := 0
	for _, line := range lines {
		if strings.Contains(line, canary) || strings.Contains(line, "xxxxxxxxxx") {
			t.Errorf("a value is in %.300s", line)
		}
		if strings.Contains(line, "callback panicked") && strings.Contains(line, "privacy_test.go") {
			panics++
		}
	}
	if panics == 0 {
		t.Errorf("no panic was logged with its stack, in:\n%s", strings.Join(lines, "\n"))
	}
	if errors.Is(err, nil) {
		t.Error("Sync succeeded without a network")
	}
}
