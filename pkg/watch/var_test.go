package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// step is one call of a callback.
type step struct{ old, new int }

func TestChainStartsAtTheInitialValueAndIsUnbroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		var steps []step
		record := func(old, new int) { steps = append(steps, step{old, new}) }

		v.Subscribe(record)
		synctest.Wait()
		if len(steps) != 0 {
			t.Fatalf("a Var that still holds its initial value called back: %v", steps)
		}
		for i := range 3 {
			v.Store(i + 1)
			synctest.Wait()
		}
		want := []step{{0, 1}, {1, 2}, {2, 3}}
		if fmt.Sprint(steps) != fmt.Sprint(want) {
			t.Fatalf("steps = %v, want %v", steps, want)
		}

		steps = nil
		v.Subscribe(record) // a late subscriber goes from the initial value to the newest
		synctest.Wait()
		if want := []step{{0, 3}}; fmt.Sprint(steps) != fmt.Sprint(want) {
			t.Fatalf("a late subscriber saw %v, want %v", steps, want)
		}
		v.Close()
	})
}

func TestASlowCallbackSeesOneConflatedStepAndCostsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		release := make(chan struct{})
		var slow, fast []step
		v.Subscribe(func(old, new int) {
			slow = append(slow, step{old, new})
			<-release
		})
		v.Subscribe(func(old, new int) { fast = append(fast, step{old, new}) })
		for i := range 100 {
			v.Store(i + 1)
			synctest.Wait()
		}
		if len(fast) != 100 {
			t.Errorf("the fast subscriber saw %d steps beside a blocked one, want 100", len(fast))
		}
		close(release)
		synctest.Wait()
		if want := []step{{0, 1}, {1, 100}}; fmt.Sprint(slow) != fmt.Sprint(want) {
			t.Errorf("the slow subscriber saw %v, want %v", slow, want)
		}
		v.Close()
	})
}

func TestIdleSubscriptionsHoldNoGoroutine(t *testing.T) {
	v := watch.NewVar(0)
	defer v.Close()
	before := runtime.NumGoroutine()
	for range 1000 {
		v.Subscribe(func(int, int) {})
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("1000 idle subscriptions hold %d goroutines", after-before)
	}
}

func TestManyBlockedCallbacksHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		const blocked = 100
		release := make(chan struct{})
		var entered, passed atomic.Int32
		for range blocked {
			v.Subscribe(func(int, int) {
				entered.Add(1)
				<-release
			})
			v.Subscribe(func(int, int) { passed.Add(1) })
			v.Subscribe(func(int, int) { runtime.Goexit() })
		}
		v.Store(1)
		synctest.Wait()
		v.Store(2)
		synctest.Wait()
		if entered.Load() != blocked || passed.Load() != 2*blocked {
			t.Errorf("%d callbacks have entered, %d calls have passed, want %d and %d", entered.Load(), passed.Load(), blocked, 2*blocked)
		}
		close(release)
		v.Close()
	})
}

func TestASubscriptionGoesOnHoweverACallEnds(t *testing.T) {
	for name, end := range map[string]func(){"a panic": func() { panic("one") }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			v := watch.NewVar(0)
			var seen, others []int
			panics := 0
			v.Subscribe(func(_, new int) {
				seen = append(seen, new)
				if new == 1 {
					end()
				}
			}, watch.OnPanic(func(recovered any, stack []byte) {
				if len(stack) == 0 || recovered != "one" {
					t.Errorf("a panic with %v, stack %s", recovered, stack)
				}
				panics++
			}))
			v.Subscribe(func(_, new int) { others = append(others, new) })
			v.Store(1)
			synctest.Wait()
			v.Store(2)
			synctest.Wait()
			if fmt.Sprint(seen, others) != "[1 2] [1 2]" || (panics == 1) != (name == "a panic") {
				t.Errorf("%s: seen %v, others %v, %d panics", name, seen, others, panics)
			}
			v.Close()
		})
	}
}

func TestAfterStopTheCallbackDoesNotRun(t *testing.T) {
	for range 200 {
		v := watch.NewVar(0)
		var stopped atomic.Bool
		s := v.Subscribe(func(int, int) {
			if stopped.Load() {
				t.Error("the callback runs after Stop has returned")
			}
			runtime.Gosched()
			if stopped.Load() {
				t.Error("the callback was still running when Stop returned")
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 50 {
				v.Store(i + 1)
			}
		})
		runtime.Gosched()
		s.Stop()
		stopped.Store(true)
		wg.Wait()
		s.Stop()
		v.Close()
	}
}

func TestStopAndCloseWaitForTheCallbackThatIsRunning(t *testing.T) {
	for name, test := range map[string]struct {
		inside func(*watch.Subscription) // what the callback does first
		end    func(*watch.Var[int], *watch.Subscription)
	}{
		"Stop":     {end: func(_ *watch.Var[int], s *watch.Subscription) { s.Stop() }},
		"Close":    {end: func(v *watch.Var[int], _ *watch.Subscription) { v.Close() }},
		"CloseAll": {end: func(v *watch.Var[int], _ *watch.Subscription) { watch.CloseAll(watch.NewVar(0), v) }},
		"Close after Stop": { // a subscription belongs to the Var until its callback has ended
			inside: (*watch.Subscription).Stop,
			end:    func(v *watch.Var[int], _ *watch.Subscription) { v.Close() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := watch.NewVar(0)
				release := make(chan struct{})
				var s *watch.Subscription
				s = v.Subscribe(func(int, int) {
					if test.inside != nil {
						test.inside(s)
					}
					<-release
				})
				v.Store(1)
				synctest.Wait()
				returned := false
				go func() {
					test.end(v, s)
					returned = true
				}()
				synctest.Wait()
				if returned {
					t.Error("it has returned while the callback was running")
				}
				close(release)
				synctest.Wait()
				if !returned {
					t.Error("it has not returned after the callback")
				}
			})
		})
	}
}

func TestTheCallThatEndsItsSubscriptionIsTheLast(t *testing.T) {
	for name, end := range map[string]func(*watch.Var[int], *watch.Subscription){
		"Stop":  func(_ *watch.Var[int], s *watch.Subscription) { s.Stop() },
		"Close": func(v *watch.Var[int], _ *watch.Subscription) { v.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			v := watch.NewVar(0)
			var seen []int
			var s *watch.Subscription
			s = v.Subscribe(func(_, new int) {
				seen = append(seen, new)
				v.Store(2) // there is more to tell, but nobody wants to hear it
				end(v, s)
			})
			v.Store(1)
			synctest.Wait()
			if fmt.Sprint(seen) != "[1]" {
				t.Errorf("%s: seen %v, want the one that ended it", name, seen)
			}
			v.Close()
		})
	}
}

func TestSubscribeAndStoreInsideACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		var inner []int
		v.Subscribe(func(_, new int) {
			if new == 1 {
				v.Subscribe(func(_, new int) { inner = append(inner, new) })
				v.Store(2)
			}
		})
		v.Store(1)
		synctest.Wait()
		if len(inner) == 0 || inner[len(inner)-1] != 2 {
			t.Errorf("the inner subscription saw %v, want it to end at 2", inner)
		}
		v.Close()
	})
}

func TestCloseStopsEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		calls := 0
		v.Subscribe(func(int, int) { calls++ })
		waited, ranged := make(chan error, 1), make(chan int, 1)
		go func() {
			_, err := v.Wait(t.Context(), func(i int) bool { return i == 99 })
			waited <- err
		}()
		go func() {
			n := 0
			for range v.Changes(t.Context()) {
				n++
			}
			ranged <- n
		}()
		v.Store(1)
		synctest.Wait()
		v.Close()
		v.Close()
		v.Store(2)
		synctest.Wait()
		if err := <-waited; !errors.Is(err, watch.ErrClosed) {
			t.Errorf("Wait returned %v, want ErrClosed", err)
		}
		if n := <-ranged; n != 1 {
			t.Errorf("Changes yielded %d times, want 1", n)
		}
		if calls != 1 || v.Load() != 1 {
			t.Errorf("%d calls and value %d after Close, want 1 and 1", calls, v.Load())
		}
		v.Subscribe(func(int, int) { t.Error("a subscription to a closed Var runs") }).Stop()
		if _, err := v.Wait(t.Context(), func(int) bool { return true }); !errors.Is(err, watch.ErrClosed) {
			t.Errorf("Wait on a closed Var returned %v, want ErrClosed", err)
		}
		synctest.Wait()
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		defer v.Close()
		go v.Store(7)
		got, err := v.Wait(t.Context(), func(i int) bool { return i == 7 })
		if got != 7 || err != nil {
			t.Errorf("Wait = %d, %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		got, err = v.Wait(ctx, func(i int) bool { return i == 8 })
		if got != 7 || !errors.Is(err, context.Canceled) {
			t.Errorf("Wait = %d, %v, want the newest value and the ctx's error", got, err)
		}
	})
}

func TestChangesIsTheSameChainInTheCallersGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		defer v.Close()
		var steps []step
		v.Store(1)
		for old, new := range v.Changes(t.Context()) {
			steps = append(steps, step{old, new})
			if len(steps) == 3 {
				break
			}
			v.Store(new + 1)
			v.Store(new + 2)
		}
		if want := []step{{0, 1}, {1, 3}, {3, 5}}; fmt.Sprint(steps) != fmt.Sprint(want) {
			t.Errorf("steps = %v, want a conflated chain as %v", steps, want)
		}
	})
}

func TestTheLastValueBeforeCloseIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		got, err := v.Wait(t.Context(), func(i int) bool {
			if i == 0 {
				v.Store(7)
				v.Close()
			}
			return i == 7
		})
		if got != 7 || err != nil {
			t.Errorf("Wait = %d, %v; the newest value is %d", got, err, v.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		v.Store(1)
		last := 0
		for _, new := range v.Changes(t.Context()) {
			if last = new; new == 1 {
				v.Store(7)
				v.Close()
			}
		}
		if last != 7 {
			t.Errorf("Changes ended with %d; the newest value is %d", last, v.Load())
		}
	})
}

func TestSubscribeRefusesANilFunction(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Subscribe(nil) returned")
		}
	}()
	watch.NewVar(0).Subscribe(nil)
}

func TestASubscriptionThatWasStoppedIsLetGo(t *testing.T) {
	v := watch.NewVar(0)
	defer v.Close()
	pointer := func() weak.Pointer[[64]byte] {
		held := new([64]byte)
		v.Subscribe(func(int, int) { runtime.KeepAlive(held) }).Stop()
		return weak.Make(held)
	}()
	runtime.GC()
	if pointer.Value() != nil {
		t.Error("a callback is kept after Stop")
	}
}

func TestWithoutOnPanicTheLogHasTheStackButNotWhatThePanicSaid(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		v.Subscribe(func(int, int) { panic("canary") })
		v.Store(1)
		synctest.Wait()
		v.Close()
	})
	if got := log.String(); strings.Contains(got, "canary") || !strings.Contains(got, "type=string") || !strings.Contains(got, "_test.go:") {
		t.Errorf("the log is %s", got)
	}
}

func TestLagIsTheAgeOfTheOldestValueThatACallbackHasNotFinishedWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := watch.NewVar(0)
		release := make(chan struct{})
		s := v.Subscribe(func(int, int) { <-release }, watch.Named("slow"))
		expect := func(want time.Duration) {
			t.Helper()
			synctest.Wait()
			if all := v.Subscriptions(); len(all) != 1 || all[0] != s || s.Name() != "slow" {
				t.Fatalf("Subscriptions() = %v, one named %q", all, s.Name())
			}
			if got := s.Lag(); got != want {
				t.Errorf("Lag() = %v, want %v", got, want)
			}
		}
		expect(0)
		v.Store(1)
		expect(0)
		time.Sleep(time.Second)
		expect(time.Second)
		v.Store(2)
		time.Sleep(time.Second)
		v.Store(3) // takes the place of 2, which has been there for a second
		expect(2 * time.Second)
		release <- struct{}{} // done with 1
		expect(time.Second)
		release <- struct{}{}
		expect(0)
		time.Sleep(time.Second)
		expect(0)

		s.Stop()
		if all := v.Subscriptions(); len(all) != 0 {
			t.Errorf("after Stop there are %v", all)
		}
	})
}
