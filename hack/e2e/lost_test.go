package e2e

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// writer is the name of a user with the rights that the store's documentation asks for.
const writer = "writer"

func (s *site) writersStore(network *rig.Network) *mapstore.Store {
	s.Helper()
	s.grant(writer, may("get", "list", "watch", "update", "patch", "create"))
	return s.storeOf(s.client(s.plane.User(writer), network), mapstore.Options{})
}

// Promise 5. An increment is committed, its answer is lost, and something happens
// before the store can look for it. Nor does its watch tell: only the ledger can.
func TestTheLedgerTellsWhatTheLostAnswerWouldHave(t *testing.T) {
	resent := rig.Instead(http.StatusServiceUnavailable, true)
	nothing := func(*site) {}
	lost := func(err error) bool { return errors.Is(err, rig.ErrLost) }
	anything := func(error) bool { return true }
	wipe := func(s *site) { s.patch(`{"metadata":{"annotations":null}}`) }
	for name, row := range map[string]struct {
		answer  rig.Exchange
		then    func(*site)
		unknown func(error) bool // holds for the cause; nil: the increment is acknowledged
	}{
		"nothing else happened":     {rig.Lose, nothing, nil},
		"others have written since": {rig.Lose, func(s *site) { s.patch(`{"data":{"foreign":"1"}}`) }, nil},
		"more than 32 commits since": {rig.Lose, func(s *site) {
			other := s.store(nil)
			for i := range 33 {
				s.set(other, "other", strconv.Itoa(i))
			}
		}, lost},
		"the ledger was wiped": {rig.Lose, wipe, lost},
		"the ledger was written over": {rig.Lose, func(s *site) {
			s.patch(`{"metadata":{"annotations":{"mapstore/commits":"x y \u0000\n z"}}}`)
		}, lost},
		"the map was deleted": {rig.Lose, (*site).remove, lost},
		"the map was recreated": {rig.Lose, func(s *site) {
			s.remove()
			s.create(&corev1.ConfigMap{Data: map[string]string{"n": "7"}})
		}, lost},
		"client-go has sent it again":                       {resent, nothing, nil},
		"client-go has sent it again, the ledger was wiped": {resent, wipe, anything},
		"the right to look for it was taken":                {rig.Lose, func(s *site) { s.grant(writer) }, apierrors.IsForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, network := newSite(t), &rig.Network{}
			store := s.writersStore(network)
			s.set(store, "n", "1") // so that there is a ledger
			network.Hold(true)
			defer network.Hold(false)
			network.OnAnswer(rig.Once(func(request *http.Request, response *http.Response) (*http.Response, error) {
				row.then(s)
				return row.answer(request, response)
			}))
			snapshot, err := store.Update(s.within(), rig.Increment("n"))
			if row.unknown != nil {
				// Long before its time is up: nobody else is to wait behind it.
				if !errors.Is(err, mapstore.ErrUnknownOutcome) || !row.unknown(err) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Update: %v, want ErrUnknownOutcome and its cause", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := snapshot.Get("n"); got != "2" || s.get().Data["n"] != "2" {
				t.Errorf("n = %s in what Update returned, and %s in the map", got, s.get().Data["n"])
			}
		})
	}
}

// Promise 5. The answer to the first request is missing, and the repetition meets
// something that says nothing about the first one.
func TestTheRepetitionOfALostRequest(t *testing.T) {
	for name, row := range map[string]struct {
		meets   func(land func() error, request *http.Request) (*http.Response, error)
		unknown bool
	}{
		"comes behind the first one, which was still on its way": {
			func(land func() error, _ *http.Request) (*http.Response, error) { return nil, land() }, false},
		"is denied": {
			func(_ func() error, request *http.Request) (*http.Response, error) {
				return rig.Answer(request, http.StatusForbidden, false), nil
			}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, network := newSite(t), &rig.Network{}
			store := s.store(network)
			s.set(store, "n", "1")
			var land func() error
			var puts atomic.Int32
			network.OnRequest(func(request *http.Request) (*http.Response, error) {
				switch {
				case request.Method != http.MethodPut:
					return nil, nil
				case puts.Add(1) == 1:
					land = network.Later(request)
					return nil, rig.ErrLost
				}
				return row.meets(land, request)
			})
			_, err := store.Update(s.within(), rig.Increment("n"))
			if row.unknown {
				if !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, rig.ErrLost) {
					t.Errorf("Update: %v, want ErrUnknownOutcome and its cause", err)
				}
				return
			}
			if n := s.get().Data["n"]; err != nil || n != "2" || puts.Load() != 2 {
				t.Errorf("n = %s after %d requests, %v", n, puts.Load(), err)
			}
		})
	}
}

// Promise 5. A store dies while its request is on its way, which may still land,
// once, also after the next store of that process has begun to write.
func TestAStoreThatDiesInTheMiddleOfACommit(t *testing.T) {
	for name, lands := range map[string]bool{"and its request lands": true, "and its request comes too late": false} {
		t.Run(name, func(t *testing.T) {
			s, network := newSite(t), &rig.Network{}
			store := s.store(network)
			s.set(store, "n", "0")
			held := make(chan func() error, 1)
			network.OnRequest(func(request *http.Request) (*http.Response, error) {
				if request.Method != http.MethodPut {
					return nil, nil
				}
				held <- network.Later(request)
				<-request.Context().Done()
				return nil, request.Context().Err()
			})
			died := make(chan error, 1)
			go func() {
				_, err := store.Update(t.Context(), rig.Increment("n"))
				died <- err
			}()
			land := <-held
			store.Close()
			if err := <-died; !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, mapstore.ErrClosed) {
				t.Errorf("Update: %v, want ErrUnknownOutcome and ErrClosed", err)
			}
			next, want := s.store(nil), "1"
			if lands {
				want = "2"
				if err := land(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := next.Update(s.within(), rig.Increment("n")); err != nil {
				t.Fatal(err)
			}
			if !lands {
				if err := land(); err != nil {
					t.Fatal(err)
				}
			}
			if n := s.get().Data["n"]; n != want {
				t.Errorf("n = %s, want %s", n, want)
			}
		})
	}
}

func TestACtxThatEndsWhileTheRequestIsInFlight(t *testing.T) {
	s, network := newSite(t), &rig.Network{}
	store := s.store(network)
	s.set(store, "n", "0")
	ctx, cancel := context.WithCancel(s.within())
	release := make(chan struct{})
	network.OnRequest(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodPut {
			cancel()
			<-release
		}
		return nil, nil
	})
	_, err := store.Update(ctx, rig.Increment("n"))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("Update: %v, want ErrUnknownOutcome and the ctx's error", err)
	}
	close(release)
}
