package e2e

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A tally counts what became of increments.
type tally struct {
	acknowledged, unknown, failed atomic.Int64
}

func (c *tally) count(t *testing.T, err error) {
	switch {
	case err == nil:
		c.acknowledged.Add(1)
	case errors.Is(err, mapstore.ErrUnknownOutcome):
		c.unknown.Add(1)
	default:
		c.failed.Add(1)
		t.Logf("not applied: %v", err)
	}
}

// check compares the tally with a counter: each acknowledged increment is in it
// once, each unknown one at most once, and nothing else.
func (c *tally) check(t *testing.T, counter string) {
	t.Helper()
	n, _ := strconv.ParseInt(counter, 10, 64)
	acknowledged, unknown := c.acknowledged.Load(), c.unknown.Load()
	t.Logf("acknowledged %d, unknown %d, failed %d, counter %d", acknowledged, unknown, c.failed.Load(), n)
	if n < acknowledged || n > acknowledged+unknown {
		t.Errorf("the counter is %d after %d acknowledged and %d unknown increments", n, acknowledged, unknown)
	}
	if acknowledged == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// Promise 5. The answers to three PUTs in ten are lost after the commit, in each
// of the ways in which that happens, beside a foreign writer that makes
// conflicts of its own.
func TestExactlyOnceThoughAnswersAreLost(t *testing.T) {
	for name, fault := range map[string]func(float64) func(*http.Request, *http.Response) (*http.Response, error){
		"the connection breaks":               losing,
		"client-go resends after Retry-After": busyAfter,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.set(s.store(), "n", "0") // by a store, so that there is a ledger
			var tally tally
			var writers, foreign sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			for range 2 {
				net := &network{}
				store := s.store(net.through)
				net.onAnswer(fault(0.3))
				for range 4 {
					writers.Go(func() {
						for range 15 {
							_, err := store.Update(t.Context(), increment("n"))
							tally.count(t, err)
						}
					})
				}
			}
			foreign.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					s.patch(`{"data":{"foreign":"` + strconv.Itoa(i) + `"}}`)
					time.Sleep(5 * time.Millisecond) // the rate of the foreign writer
				}
			})
			writers.Wait()
			stop()
			foreign.Wait()
			tally.check(t, s.get().Data["n"])
			if unknown := tally.unknown.Load(); unknown > 0 {
				t.Errorf("%d outcomes unknown, though the ledger was there to tell", unknown)
			}
		})
	}
}

// loseOnce loses the answer to the next PUT, after the commit, and then calls
// then before the client hears of it.
func loseOnce(then func()) func(*http.Request, *http.Response) (*http.Response, error) {
	var done atomic.Bool
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		if request.Method != http.MethodPut || done.Swap(true) {
			return response, nil
		}
		drain(response)
		then()
		return nil, errLost
	}
}

func TestTheLedgerTellsWhatTheLostAnswerWouldHave(t *testing.T) {
	type row struct {
		then    func(s *site) // what happens between the commit and the lost answer
		unknown bool
		counter string // with an outcome that is known
	}
	for name, row := range map[string]row{
		"nothing else happened": {then: func(*site) {}, counter: "2"},
		"others have written since": {
			then:    func(s *site) { s.patch(`{"data":{"foreign":"1"}}`) },
			counter: "2",
		},
		"more than 32 commits since": {
			then: func(s *site) {
				other := s.store()
				for i := range 33 {
					s.set(other, "other", strconv.Itoa(i))
				}
			},
			unknown: true,
		},
		"the ledger was wiped": {
			then:    func(s *site) { s.patch(`{"metadata":{"annotations":null}}`) },
			unknown: true,
		},
		"the ledger was written over": {
			then:    func(s *site) { s.patch(`{"metadata":{"annotations":{"mapstore/commits":"x y \u0000\n z"}}}`) },
			unknown: true,
		},
		"the map was deleted":   {then: (*site).remove, unknown: true},
		"the map was recreated": {then: func(s *site) { s.remove(); s.create(map[string]string{"n": "7"}) }, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			net := &network{}
			store := s.store(net.through)
			s.set(store, "n", "1") // so that there is a ledger
			// Nor does the watch tell: only the ledger can.
			defer net.delayWatches()()
			net.onAnswer(loseOnce(func() { row.then(s) }))
			snapshot, err := store.Update(within(t, 20*time.Second), increment("n"))
			if row.unknown {
				if !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, errLost) {
					t.Errorf("Update: %v, want ErrUnknownOutcome and its cause", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := snapshot.Get("n"); got != row.counter {
				t.Errorf("n = %s in what Update returned, want %s", got, row.counter)
			}
			if got := s.get().Data["n"]; got != row.counter {
				t.Errorf("n = %s, want %s", got, row.counter)
			}
		})
	}
}

// A request that is held up on its way is applied after its client has looked
// for it in vain: the repeated request must not apply it a second time.
func TestARequestThatIsStillOnItsWayIsNotDoubled(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	if _, err := store.Update(t.Context(), increment("n")); err != nil {
		t.Fatal(err)
	}
	held := make(chan struct{})
	arrived := make(chan error, 1)
	var puts atomic.Int32
	net.onRequest(func(request *http.Request) (*http.Response, error) {
		switch {
		case request.Method == http.MethodPut && puts.Add(1) == 1:
			late := request.Clone(context.Background())
			late.Body, _ = request.GetBody()
			go func() {
				<-held
				response, err := net.RoundTripper.RoundTrip(late)
				if err == nil {
					drain(response)
				}
				arrived <- err
			}()
			return nil, errLost
		case request.Method == http.MethodPut:
			close(held) // the quorum read is answered; now the first one lands
			if err := <-arrived; err != nil {
				t.Errorf("the held request: %v", err)
			}
		}
		return nil, nil
	})
	if _, err := store.Update(within(t, 20*time.Second), increment("n")); err != nil {
		t.Fatal(err)
	}
	if got := s.get().Data["n"]; got != "2" {
		t.Errorf("n = %s, want 2", got)
	}
	if puts.Load() != 2 {
		t.Errorf("%d PUTs, want the lost one and its repetition", puts.Load())
	}
}

func TestACtxThatEndsWhileTheRequestIsInFlight(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "0")
	entered, release := make(chan struct{}), make(chan struct{})
	net.onRequest(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodPut {
			close(entered)
			<-release
		}
		return nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		_, err := store.Update(ctx, increment("n"))
		sent <- err
	}()
	<-entered
	waiting := make(chan error, 1)
	waitCtx, cancelWaiting := context.WithCancel(t.Context())
	go func() {
		_, err := store.Update(waitCtx, increment("n"))
		waiting <- err
	}()
	cancelWaiting()
	if err := <-waiting; !errors.Is(err, context.Canceled) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("a transaction that waited: %v, want it not applied", err)
	}
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) || !errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("a transaction in flight: %v, want ErrUnknownOutcome and the ctx's error", err)
	}
	net.onRequest(nil)
	close(release)
	s.set(store, "after", "1")
}

func TestOneRequestAWriteAndOneForManyThatWait(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "0")
	puts, gets := net.puts.Load(), net.gets.Load()
	for range 10 {
		s.set(store, "n", "0")
		s.set(store, "n", "1")
	}
	if got := net.puts.Load() - puts; got != 20 {
		t.Errorf("%d requests for 20 Sets", got)
	}
	if got := net.gets.Load() - gets; got != 0 {
		t.Errorf("%d reads for 20 Sets", got)
	}

	// While one request is held up, all others gather; one more takes them all.
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	net.onRequest(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodPut {
			once.Do(func() { close(entered) })
			<-release
		}
		return nil, nil
	})
	puts = net.puts.Load()
	var wg sync.WaitGroup
	wg.Go(func() { s.set(store, "first", "1") })
	<-entered
	const waiting = 64
	for i := range waiting {
		wg.Go(func() {
			if err := store.Set(t.Context(), "k"+strconv.Itoa(i), "1"); err != nil {
				t.Errorf("Set: %v", err)
			}
		})
	}
	settles(t, "waiting writers", func() bool { return blockedIn("(*transaction).await") == waiting+1 })
	close(release)
	wg.Wait()
	if got := net.puts.Load() - puts; got != 2 {
		t.Errorf("%d requests for one Set and %d that waited for it", got, waiting)
	}
	if got := len(s.get().Data); got != waiting+2 {
		t.Errorf("%d keys", got)
	}
}

func TestTheLedgerStaysShort(t *testing.T) {
	s := newSite(t)
	store := s.store()
	for i := range 40 {
		s.set(store, "n", strconv.Itoa(i))
	}
	object, err := s.outside.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), mapName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ledger := object.Annotations["mapstore/commits"]
	if ids := strings.Fields(ledger); len(ids) != 32 || len(ledger) > 500 {
		t.Errorf("%d ids in %d bytes", len(ids), len(ledger))
	}
	// Whatever others write there neither stays nor grows.
	s.patch(`{"metadata":{"annotations":{"mapstore/commits":"` + strings.Repeat("garbage ", 2000) + `"}}}`)
	s.set(store, "n", "after")
	if ledger := s.get().Annotations["mapstore/commits"]; len(ledger) > 500 {
		t.Errorf("%d bytes of foreign garbage are left", len(ledger))
	}
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
