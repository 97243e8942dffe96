package e2e

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Two stores for one map in one process, on one client: the ledger tells their
// commits apart by nothing but their ids.
func TestTwoStoresOfTheSameNameInOneProcess(t *testing.T) {
	s := newSite(t)
	net, config := &network{}, s.plane.Config()
	net.through(config, nil)
	client := clientFor(t, config)
	var stores []*mapstore.Store
	for range 2 {
		store, err := mapstore.New(client, s.namespace, mapName, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.run(store)
		stores = append(stores, store)
	}
	s.set(stores[0], "n", "0")
	net.onAnswer(losing(0.3))
	var tally tally
	var writers sync.WaitGroup
	for _, store := range stores {
		for range 4 {
			writers.Go(func() {
				for range 15 {
					_, err := store.Update(t.Context(), increment("n"))
					tally.count(t, err)
				}
			})
		}
	}
	writers.Wait()
	net.onAnswer(nil)
	tally.check(t, s.get().Data["n"])
	if unknown := tally.unknown.Load(); unknown > 0 {
		t.Errorf("%d outcomes unknown, though the ledger was there to tell", unknown)
	}
	for _, store := range stores {
		s.waitForRevision(store, s.get().ResourceVersion)
	}
}

// A store that dies while its request is on its way: the request may still land,
// once, also after the next store of that process has begun to write.
func TestAStoreThatDiesInTheMiddleOfACommit(t *testing.T) {
	for name, lands := range map[string]bool{"and its request lands": true, "and its request is lost": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			net := &network{}
			store := s.store(net.through)
			s.set(store, "n", "0")
			held, release, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			net.onRequest(func(request *http.Request) (*http.Response, error) {
				if request.Method != http.MethodPut {
					return nil, nil
				}
				late := request.Clone(t.Context())
				late.Body, _ = request.GetBody()
				go func() {
					<-release
					response, err := net.RoundTripper.RoundTrip(late)
					if err == nil {
						drain(response)
					}
					answered <- err
				}()
				close(held)
				<-request.Context().Done()
				return nil, request.Context().Err()
			})
			died := make(chan error, 1)
			go func() {
				_, err := store.Update(t.Context(), increment("n"))
				died <- err
			}()
			<-held
			store.Close()
			if err := <-died; !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, mapstore.ErrClosed) {
				t.Errorf("Update: %v, want ErrUnknownOutcome and ErrClosed", err)
			}
			want := "1"
			if lands {
				close(release)
				if err := <-answered; err != nil {
					t.Fatal(err)
				}
				want = "2"
			}
			next := s.store()
			if _, err := next.Update(within(t, 20*time.Second), increment("n")); err != nil {
				t.Fatal(err)
			}
			if !lands { // it arrives after all, too late
				close(release)
				if err := <-answered; err != nil {
					t.Fatal(err)
				}
			}
			if n := s.get().Data["n"]; n != want {
				t.Errorf("n = %s, want %s", n, want)
			}
		})
	}
}
