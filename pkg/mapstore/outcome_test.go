package mapstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A no is a no: what the server has answered, and what has never left the client, is
// known not to be applied. And the error says what was in the way.
func TestWhatWasAnsweredIsNotOfUnknownOutcome(t *testing.T) {
	busy := apierrors.NewTooManyRequests("busy", 0)
	busyForNow := apierrors.NewTooManyRequests("busy", 1)
	for name, row := range map[string]struct {
		fault mapstoretest.Fault
		says  func(error) bool
	}{
		"conflicts":                          {mapstoretest.Conflict(), apierrors.IsConflict},
		"a busy server":                      {mapstoretest.Answer(busy), apierrors.IsTooManyRequests},
		"a busy server that says until when": {mapstoretest.Answer(busyForNow), apierrors.IsTooManyRequests},
		"a webhook that is down":             {mapstoretest.Answer(apierrors.NewInternalError(errors.New(`failed calling webhook "x": no endpoints available`))), apierrors.IsInternalError},
		"an etcd that is full":               {mapstoretest.Answer(apierrors.NewInternalError(errors.New("etcdserver: mvcc: database space exceeded"))), apierrors.IsInternalError},
		"no connection":                      {mapstoretest.Refused(), func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := mapstoretest.NewAPI(t)
				api.ConfigMap("default", "settings").Set("k", "v")
				// A write that ends in the backoff from before it has met nothing.
				store := api.Open(t, "settings", mapstore.Options{MaxBackoff: 100 * time.Millisecond})
				api.Fail(row.fault, "update")
				for i := range 5 {
					err := store.Set(within(t, time.Duration(i+1)*499*time.Millisecond), "k", strconv.Itoa(i))
					expectNotApplied(t, err)
					if !row.says(err) {
						t.Errorf("the reason is lost: %v", err)
					}
				}
			})
		})
	}
}

// The last word of the server is also in the error of a write that may have been applied.
func TestTheReasonArrivesWithAnUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		api.Fail(mapstoretest.Answer(apierrors.NewInternalError(errors.New("etcdserver: request timed out"))), "update")
		api.Fail(mapstoretest.Refused(), "get", "list")
		err := store.Set(within(t, 5*time.Second), "k", "w")
		if !errors.Is(err, mapstore.ErrUnknownOutcome) || !apierrors.IsInternalError(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want an unknown outcome, why, and the ctx's error", err)
		}
	})
}

// A policy that reverts what is written has made a no of it, also if the answer is lost
// that would have shown it. One that changes what is written has not.
func TestAWriteThatTheServerUndoesIsNotApplied(t *testing.T) {
	for name, row := range map[string]struct {
		to      string
		lost    bool
		applied bool
	}{
		"reverted": {"v", false, false}, "reverted, and the answer is lost": {"v", true, false},
		"changed": {"c", false, true}, "changed, and the answer is lost": {"c", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := mapstoretest.NewAPI(t).Config()
				config.ContentType = "application/json"
				var inForce atomic.Bool
				store := startOn(t, config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
					if !inForce.Load() {
						return next.RoundTrip(r)
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					body = bytes.ReplaceAll(body, []byte(`"k":"w"`), []byte(`"k":"`+row.to+`"`))
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					response, err := next.RoundTrip(r)
					if err == nil && row.lost {
						response.Body.Close()
						return nil, io.ErrUnexpectedEOF
					}
					return response, err
				})
				set(t, store, "k", "v")
				inForce.Store(true)
				if err := store.Set(t.Context(), "k", "w"); (err == nil) != row.applied || errors.Is(err, mapstore.ErrUnknownOutcome) {
					t.Errorf("Set: %v", err)
				}
				if k, _ := store.Get("k"); k != row.to {
					t.Errorf("k = %s", k)
				}
				inForce.Store(false)
				set(t, store, "k", "x")
			})
		})
	}
}

// What is wrong with one write is nobody else's error.
func TestTheErrorOfOneWriteIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "k", "v")
		api.FailNext(1, mapstoretest.Answer(apierrors.NewBadRequest("a's value is bad")), "update")
		if err := store.Set(t.Context(), "a", "bad"); !apierrors.IsBadRequest(err) {
			t.Error(err)
		}
		hang := api.FailNext(1, mapstoretest.Hang(), "update")
		var writers sync.WaitGroup
		writers.Go(func() { write(t, store, "b") })
		synctest.Wait()
		err := store.Set(within(t, time.Second), "c", "v")
		expectNotApplied(t, err)
		if apierrors.IsBadRequest(err) {
			t.Errorf("another's error: %v", err)
		}
		hang.End()
		writers.Wait()
	})
}

// A token that was replaced is refused once, and a server that has just been started
// denies everything for a moment. What it denies for good is an error at once.
func TestADenialThatPassesIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		store := api.Open(t, "settings", mapstore.Options{})
		set(t, store, "k", "v")
		api.FailNext(1, mapstoretest.Answer(apierrors.NewUnauthorized("the token has expired")), "update")
		set(t, store, "k", "after a new token")

		time.Sleep(time.Minute)
		denied := api.Fail(mapstoretest.Forbidden(), "update")
		began := time.Now()
		if err := store.Set(t.Context(), "k", "w"); !apierrors.IsForbidden(err) || time.Since(began) > 100*time.Millisecond {
			t.Errorf("Set without the right: %v after %v", err, time.Since(began))
		}
		outage := api.Fail(mapstoretest.Refused())
		time.Sleep(10 * time.Second)
		outage.End()
		for store.Status().Err != nil {
			time.Sleep(10 * time.Millisecond)
		}
		time.AfterFunc(time.Second, denied.End)
		set(t, store, "k", "after a restart")
	})
}

// It leaves nothing to be unsure of.
func TestATransactionThatChangesNothingIsNeverOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		lost := api.Fail(mapstoretest.LostAnswer(), "update")
		expectNotApplied(t, store.Delete(within(t, 5*time.Second), "absent"))
		if lost.Met() < 2 {
			t.Errorf("%d answers were lost", lost.Met())
		}
	})
}

// A ctx that ends in the very moment of the outcome gives one or the other.
func TestAnOutcomeIsASnapshotOrAnError(t *testing.T) {
	api, store := started(t)
	acknowledged, unknown := 0, 0
	for i := range 1500 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(100+i%800)*time.Microsecond)
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
	add(t, store) // when it is through, so is all before it
	if n, _ := strconv.Atoi(values(api)["n"]); n < 1+acknowledged || n > 1+acknowledged+unknown {
		t.Errorf("n = %d after %d acknowledged and %d unknown increments, and one more", n, acknowledged, unknown)
	}
}

// What waits for the client's rate limit has not left.
func TestWhatWaitsForTheRateLimitIsNotOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := mapstoretest.NewAPI(t).Config()
		config.QPS = 0 // what everybody has
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		store := start(t, client)
		set(t, store, "k", "v")
		held := 0
		for range 30 {
			if err := store.Set(within(t, 100*time.Millisecond), "k", "w"); err != nil {
				held++
				expectNotApplied(t, err)
			}
		}
		if held == 0 {
			t.Error("the limit has held up nothing")
		}
	})
}

// A version that comes while a function runs has made its request void before it is
// sent; so it is not sent, and its answer cannot be lost.
func TestARequestThatIsVoidIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := started(t)
		updates := api.Fail(mapstoretest.Slow(time.Millisecond), "update")
		runs := 0
		if _, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
			if runs++; runs == 1 {
				api.ConfigMap("default", "settings").Put(map[string]string{"n": "10"})
				synctest.Wait()
			}
			return increment(tx)
		}); err != nil {
			t.Fatal(err)
		}
		if n, _ := store.Get("n"); n != "11" || runs != 2 || updates.Met() != 1 {
			t.Errorf("n = %s after %d runs and %d requests", n, runs, updates.Met())
		}
	})
}

// Close waits for the answers that are on their way.
func TestCloseWaitsForTheAnswerOfWhatIsInFlight(t *testing.T) {
	for name, row := range map[string]struct {
		delay   time.Duration
		applied bool
	}{
		"an answer in time":  {time.Second, true},
		"an answer too late": {time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, store := started(t)
				api.Fail(mapstoretest.Slow(row.delay), "update")
				outcomes := make(chan error, 2)
				for _, key := range []string{"sent", "queued"} {
					go func() { outcomes <- store.Set(t.Context(), key, "v") }()
					synctest.Wait()
				}
				began := time.Now()
				store.Close()
				if waited := time.Since(began); waited > 2100*time.Millisecond {
					t.Errorf("Close has taken %v", waited)
				}
				sent, queued := <-outcomes, <-outcomes
				if errors.Is(sent, mapstore.ErrClosed) && sent != nil && !errors.Is(sent, mapstore.ErrUnknownOutcome) {
					sent, queued = queued, sent
				}
				if (sent == nil) != row.applied || sent != nil && !errors.Is(sent, mapstore.ErrUnknownOutcome) {
					t.Errorf("what was in flight: %v", sent)
				}
				if !errors.Is(queued, mapstore.ErrClosed) || errors.Is(queued, mapstore.ErrUnknownOutcome) {
					t.Errorf("what was queued: %v", queued)
				}
			})
		})
	}
}

// Three of ten answers are lost, and then all is well: everybody goes on, however busy
// the others are.
func TestALossyMomentStarvesNobody(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			api := mapstoretest.NewAPI(t)
			random := rand.New(rand.NewPCG(seed, 1))
			healthy := time.Now().Add(4 * time.Second)
			store := startOn(t, api.Config(), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
				time.Sleep(5 * time.Millisecond)
				response, err := next.RoundTrip(r)
				if err == nil && time.Now().Before(healthy) && random.IntN(10) < 3 {
					response.Body.Close()
					return nil, io.ErrUnexpectedEOF
				}
				return response, err
			})
			set(t, store, "n", "0")
			ended := healthy.Add(2 * time.Second)
			var writers sync.WaitGroup
			var longest, acknowledged atomic.Int64
			for range 8 {
				writers.Go(func() {
					for time.Now().Before(ended) {
						began := time.Now()
						if _, err := store.Update(t.Context(), increment); err != nil {
							t.Error(err)
							return
						}
						acknowledged.Add(1)
						if began.Before(healthy) {
							began = healthy
						}
						longest.Store(max(longest.Load(), int64(time.Since(began))))
					}
				})
			}
			writers.Wait()
			if n := values(api)["n"]; n != strconv.FormatInt(acknowledged.Load(), 10) {
				t.Errorf("seed %d: n = %s after %d increments", seed, n, acknowledged.Load())
			}
			if waited := time.Duration(longest.Load()); waited > time.Second {
				t.Errorf("seed %d: somebody has waited for %v since all is well", seed, waited)
			}
		})
	}
}
