package e2e

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What hack/mutants found to be held up by no other test.

// Promise 1: what the server has refused was never visible.
func TestAWriteThatIsRefusedIsNeverVisible(t *testing.T) {
	s := newSite(t)
	s.create(map[string]string{"k": "v"})
	s.grant("reader", may("get", "list", "watch"))
	store := s.store(s.as("reader"))
	f := newFollower(t)
	store.OnChange(f.take)
	if err := store.Set(t.Context(), "k", "refused"); !apierrors.IsForbidden(err) {
		t.Errorf("Set: %v", err)
	}
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("k = %q after a Set that was refused", got)
	}
	last := s.patch(`{"data":{"other":"1"}}`)
	f.reaches("the last write is seen", atLeast(last.ResourceVersion))
}

// Promise 2: what a watch brings late does not take the copy back.
func TestWhatAWatchBringsLateIsOld(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "0")
	f := newFollower(t)
	store.OnChange(f.take)
	release := net.delayWatches()
	defer release()
	for n := range 10 {
		s.set(store, "n", strconv.Itoa(n+1))
	}
	release()
	last := s.patch(`{"data":{"foreign":"1"}}`)
	f.reaches("the last write is seen", atLeast(last.ResourceVersion))
}

// failingAfter is busyAfter without Retry-After: client-go does not send again.
func failingAfter(share float64) func(*http.Request, *http.Response) (*http.Response, error) {
	busy := busyAfter(share)
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		response, err := busy(request, response)
		if response.StatusCode == http.StatusServiceUnavailable {
			response.Header.Del("Retry-After")
		}
		return response, err
	}
}

func TestExactlyOnceThoughTheServerFails(t *testing.T) {
	s := newSite(t)
	s.set(s.store(), "n", "0")
	net := &network{}
	store := s.store(net.through)
	net.onAnswer(failingAfter(0.3))
	var tally tally
	for range 30 {
		_, err := store.Update(t.Context(), increment("n"))
		tally.count(t, err)
	}
	tally.check(t, s.get().Data["n"])
}

// A request that client-go has resent by itself met its own first commit, of
// which the traces are gone: nobody can know.
func TestAResentRequestWhoseLedgerIsGoneIsUnknown(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "1")
	defer net.delayWatches()()
	busy := busyAfter(1)
	var done atomic.Bool
	net.onAnswer(func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || done.Swap(true) {
			return response, nil
		}
		s.patch(`{"metadata":{"annotations":null}}`)
		return busy(request, response)
	})
	if _, err := store.Update(within(t, 20*time.Second), increment("n")); !errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("Update: %v, want ErrUnknownOutcome", err)
	}
	if n := s.get().Data["n"]; n != "2" {
		t.Errorf("n = %s, want it applied once", n)
	}
}

// A denial of the repeated request says nothing about the first one, which may
// still be on its way.
func TestADenialOfTheRepetitionLeavesTheFirstUnknown(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "1")
	var puts atomic.Int32
	net.onRequest(func(request *http.Request) (*http.Response, error) {
		switch {
		case request.Method != http.MethodPut:
			return nil, nil
		case puts.Add(1) == 1:
			return nil, errLost
		default:
			return &http.Response{StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
		}
	})
	if _, err := store.Update(within(t, 20*time.Second), increment("n")); !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, errLost) {
		t.Errorf("Update: %v, want ErrUnknownOutcome and its cause", err)
	}
}

// Promise 9: a server that neither answers nor hangs up.
func TestAServerThatFallsSilent(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	const staleAfter = 2 * time.Second
	net := &network{}
	store := s.store(net.through, func(_ *rest.Config, opts *mapstore.Options) { opts.StaleAfter = staleAfter })
	s.set(store, "k", "v")

	watches := net.watches.Load()
	settles(t, "a watch without frames", func() bool { return net.watches.Load() > watches })
	if err := store.Status().Err; err != nil {
		t.Errorf("Status().Err = %v of a server that answers", err)
	}

	if err := plane.APIServer.Pause(); err != nil {
		t.Fatal(err)
	}
	silent := time.Now()
	settles(t, "Status().Err", func() bool { return store.Status().Err != nil })
	if err, took := store.Status().Err, time.Since(silent); took > 2*staleAfter {
		t.Errorf("Status().Err = %v after %v", err, took)
	}
	if contact := store.Status().LastContact; contact.After(silent.Add(100 * time.Millisecond)) {
		t.Errorf("LastContact is %v after the server fell silent", contact.Sub(silent))
	}
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("Get = %q", got)
	}
	if err := plane.APIServer.Resume(); err != nil {
		t.Fatal(err)
	}
	settles(t, "Status().Err", func() bool { return store.Status().Err == nil })
	object := s.patch(`{"data":{"k":"after"}}`)
	s.waitForRevision(store, object.ResourceVersion)
}

// LastContact is that of the last frame, whoever caused it.
func TestEveryFrameIsContact(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"n": "0"})
	for n := range 3 {
		before := time.Now()
		object := s.patch(`{"data":{"n":"` + strconv.Itoa(n+1) + `"}}`)
		s.waitForRevision(store, object.ResourceVersion)
		if contact := store.Status().LastContact; contact.Before(before) {
			t.Errorf("LastContact is %v before the last frame", before.Sub(contact))
		}
	}
}
