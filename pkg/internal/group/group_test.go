package group

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A tally is a draft: functions add to a number, on top of those before them.
type tally struct {
	sum     int
	changed bool
	refuse  error // what Add returns; nil: it takes everything
}

func (d *tally) Begin() *tally { return &tally{sum: d.sum} }

func (d *tally) Add(t *tally) error {
	if d.refuse != nil {
		return d.refuse
	}
	d.sum, d.changed = t.sum, d.changed || t.sum != d.sum
	return nil
}

func (d *tally) Changed() bool { return d.changed }

func adds(n int) func(*tally) error {
	return func(t *tally) error { t.sum += n; return nil }
}

// A driver makes requests of a group, each of which takes a second.
type driver struct {
	*Group[*tally, int]
	sum     int   // what is committed
	batches []int // how many calls each request carried
	refuses func(sum int) (refused bool, mark Mark)
	delay   time.Duration // from the functions until a request is in flight, as for credentials
}

func newDriver(t *testing.T) *driver {
	d := &driver{Group: New[*tally, int](), refuses: func(int) (bool, Mark) { return false, Together }}
	go d.run(t.Context())
	return d
}

func (d *driver) run(ctx context.Context) {
	for d.Wait(ctx, 0, func() time.Duration { return time.Millisecond }) {
		draft := &tally{sum: d.sum}
		batch, attempt := d.Collect(ctx, draft)
		n := batch.Len()
		if n == 0 {
			continue
		}
		select {
		case <-time.After(d.delay):
		case <-attempt.Done():
		}
		if !batch.SetInFlight() {
			batch.Retry(Together)
			continue
		}
		d.batches = append(d.batches, n)
		time.Sleep(time.Second)
		if refused, mark := d.refuses(draft.sum - d.sum); refused {
			if mark == Alone && n == 1 {
				batch.Finish(0, errRefused)
				continue
			}
			batch.ClearInFlight()
			batch.Note(errRefused)
			batch.Retry(mark)
			continue
		}
		d.sum = draft.sum
		batch.Finish(d.sum, nil)
	}
}

var errRefused, errOwn = errors.New("refused"), errors.New("own")

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestThoseWhoComeDuringARequestShareTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if o := d.Do(t.Context(), adds(1)); o.Err != nil || o.Result == 0 {
					t.Errorf("%+v", o)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		synctest.Wait()
		if d.sum != 64 || !slices.Equal(d.batches, []int{1, 63}) {
			t.Errorf("sum %d, by requests of %v", d.sum, d.batches)
		}
	})
}

func TestWhatAFunctionDoesIsItsCallersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		var all sync.WaitGroup
		all.Go(func() { d.Do(t.Context(), adds(1)) })
		synctest.Wait() // its request is under way, and the others gather
		all.Go(func() {
			defer func() {
				if recover() != "bang" {
					t.Error("the panic has not reached its caller")
				}
			}()
			d.Do(t.Context(), func(*tally) error { panic("bang") })
		})
		all.Go(func() {
			d.Do(t.Context(), func(*tally) error { runtime.Goexit(); return nil })
			t.Error("the goroutine goes on")
		})
		all.Go(func() {
			if o := d.Do(t.Context(), func(*tally) error { return errOwn }); o.Err != errOwn || !o.Own { //nolint:errorlint // the very one
				t.Errorf("%+v", o)
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() { d.Do(t.Context(), adds(1)) })
		}
		all.Wait()
		synctest.Wait()
		if d.sum != 4 || !slices.Equal(d.batches, []int{1, 3}) {
			t.Errorf("sum %d, by requests of %v", d.sum, d.batches)
		}
	})
}

// An error that comes from what is not committed yet does not count: the function runs
// again, first.
func TestAFunctionThatFailsOnWhatIsNotCommittedRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		var all sync.WaitGroup
		all.Go(func() { d.Do(t.Context(), adds(1)) })
		synctest.Wait()
		all.Go(func() { d.Do(t.Context(), adds(10)) })
		synctest.Wait()
		var seen []int
		all.Go(func() {
			o := d.Do(t.Context(), func(now *tally) error { seen = append(seen, now.sum); return errOwn })
			if !o.Own {
				t.Errorf("%+v", o)
			}
		})
		all.Wait()
		synctest.Wait()
		if !slices.Equal(seen, []int{11, 11}) || d.sum != 11 {
			t.Errorf("it has seen %v, of %d", seen, d.sum)
		}
	})
}

func TestWhatADraftDoesNotTakeEndsItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New[*tally, int]()
		go func() {
			g.Wait(t.Context(), 0, nil)
			g.Collect(t.Context(), &tally{refuse: errRefused})
		}()
		if o := g.Do(t.Context(), adds(1)); !errors.Is(o.Err, errRefused) || o.Own {
			t.Errorf("%+v", o)
		}
	})
}

// Each call by itself, until the one is found that the server refuses.
func TestWhoMustBeAloneSharesNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		d.refuses = func(sum int) (bool, Mark) { return sum >= 100, Alone }
		var all sync.WaitGroup
		all.Go(func() { d.Do(t.Context(), adds(1)) })
		synctest.Wait()
		for _, n := range []int{1, 100, 1} {
			all.Go(func() {
				if o := d.Do(t.Context(), adds(n)); (n == 100) != errors.Is(o.Err, errRefused) {
					t.Errorf("%d: %+v", n, o)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		synctest.Wait()
		if d.sum != 3 || !slices.Equal(d.batches, []int{1, 3, 1, 1, 1}) {
			t.Errorf("sum %d, by requests of %v", d.sum, d.batches)
		}
	})
}

// Others go first, but not for ever, and who is not to blame is soon through.
func TestWhoIsHeldBackLetsABoundedNumberOfOthersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		var tried []int // in which request
		d.refuses = func(sum int) (bool, Mark) {
			if sum >= 100 {
				tried = append(tried, len(d.batches))
			}
			return sum >= 100, HeldBack
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { d.Do(t.Context(), adds(1)) })
		synctest.Wait()
		all.Go(func() { d.Do(ctx, adds(100)) })
		all.Go(func() { // beside it, in the same request
			began := time.Now()
			if o := d.Do(t.Context(), adds(1)); o.Err != nil || time.Since(began) > 10*time.Second {
				t.Errorf("%+v after %v", o, time.Since(began))
			}
		})
		all.Go(func() { // a closed loop
			for ctx.Err() == nil {
				d.Do(t.Context(), adds(1))
			}
		})
		time.Sleep(200 * time.Second)
		cancel()
		all.Wait()
		synctest.Wait()
		var gaps []int
		for i := range tried[1:] {
			gaps = append(gaps, tried[i+1]-tried[i]-1)
		}
		if len(gaps) < 7 || !slices.Equal(gaps[1:7], []int{3, 7, 15, 31, 31, 31}) {
			t.Errorf("between its turns others had %v", gaps)
		}
	})
}

func TestWhoLeavesBeforeTheRequestIsNotPartOfIt(t *testing.T) {
	for name, row := range map[string]struct {
		leave, work time.Duration // when it leaves, and what its neighbour's function takes
		sum         int
	}{
		"in the queue":              {500 * time.Millisecond, 0, 11},
		"in a neighbour's function": {1500 * time.Millisecond, time.Second, 11},
		"in flight":                 {1500 * time.Millisecond, 0, 111},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDriver(t)
				var all sync.WaitGroup
				all.Go(func() { d.Do(t.Context(), adds(1)) })
				synctest.Wait()
				all.Go(func() {
					o := d.Do(within(t, row.leave), adds(100))
					if want := name == "in flight"; !o.Left || o.InFlight != want || !errors.Is(o.Err, context.DeadlineExceeded) {
						t.Errorf("who leaves is told %+v", o)
					}
				})
				synctest.Wait()
				all.Go(func() {
					d.Do(t.Context(), func(now *tally) error {
						time.Sleep(row.work)
						now.sum += 10
						return nil
					})
				})
				all.Wait()
				synctest.Wait()
				if d.sum != row.sum {
					t.Errorf("sum %d, want %d", d.sum, row.sum)
				}
			})
		})
	}
}

func TestWhoLeavesDuringANeighboursFunctionGetsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		var all sync.WaitGroup
		all.Go(func() { d.Do(t.Context(), adds(1)) })
		synctest.Wait()
		all.Go(func() {
			d.Do(t.Context(), func(now *tally) error { time.Sleep(time.Second); now.sum += 10; return nil })
		})
		synctest.Wait()
		all.Go(func() {
			if o := d.Do(within(t, 1500*time.Millisecond), func(*tally) error { t.Error("it runs"); return nil }); !o.Left || o.InFlight {
				t.Errorf("%+v", o)
			}
		})
		all.Wait()
		if d.sum != 11 {
			t.Errorf("sum %d", d.sum)
		}
	})
}

// The driver does not wait for a caller who leaves at the moment in which its turn comes.
func TestWhoLeavesAtItsTurnGivesItBack(t *testing.T) {
	g := New[*tally, int]()
	c := newCall[*tally, int](adds(1))
	if err := g.enqueue(c); err != nil || !g.offer(c, &tally{}) {
		t.Fatal("no turn")
	}
	g.leave(c, context.Canceled)
	if err := <-c.ran; err != errGone { //nolint:errorlint // the very one
		t.Errorf("the driver is told %v", err)
	}
}

// In flight is what SetInFlight and ClearInFlight say.
func TestInFlightIsWhatTheDriverSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New[*tally, int]()
		outcomes := make(chan Outcome[int], 2)
		collect := func(calls int) ([]context.CancelFunc, *Batch[*tally, int], context.Context) {
			var cancels []context.CancelFunc
			for range calls {
				ctx, cancel := context.WithCancel(t.Context())
				cancels = append(cancels, cancel)
				go func() { outcomes <- g.Do(ctx, adds(1)) }()
			}
			synctest.Wait()
			batch, attempt := g.Collect(t.Context(), &tally{})
			return cancels, batch, attempt
		}

		cancels, batch, attempt := collect(2)
		batch.SetInFlight()
		cancels[0]()
		if o := <-outcomes; !o.InFlight {
			t.Errorf("after SetInFlight: %+v", o)
		}
		if attempt.Err() != nil || !batch.SetInFlight() {
			t.Error("the other one, who waits, is given up")
		}
		batch.ClearInFlight()
		batch.Note(errRefused)
		cancels[1]()
		if o := <-outcomes; o.InFlight || !errors.Is(o.Last, errRefused) {
			t.Errorf("after ClearInFlight: %+v", o)
		}
		if attempt.Err() == nil || batch.SetInFlight() {
			t.Error("a request may go whose caller was told that nothing was done")
		}
		batch.Retry(Together)

		cancels, batch, attempt = collect(1)
		batch.SetInFlight()
		cancels[0]()
		if o := <-outcomes; !o.InFlight || attempt.Err() == nil {
			t.Errorf("%+v, and the attempt goes on though nobody waits: %v", o, attempt.Err())
		}
		batch.Finish(1, nil)
		if g.Queued() != 0 {
			t.Errorf("%d queue", g.Queued())
		}
	})
}

// Collect does not wait for a function that never returns.
func TestTheEndOfTheGroupWaitsForNoFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New[*tally, int]()
		hang := make(chan struct{})
		outcome := make(chan Outcome[int])
		go func() { outcome <- g.Do(t.Context(), func(*tally) error { <-hang; return nil }) }()
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		var batch *Batch[*tally, int]
		go func() { batch, _ = g.Collect(ctx, &tally{}) }()
		synctest.Wait()
		cancel(errRefused)
		synctest.Wait()
		if batch == nil || batch.Len() != 0 {
			t.Error("Collect waits")
		}
		g.Close(errRefused)
		close(hang)
		if o := <-outcome; !errors.Is(o.Err, errRefused) {
			t.Errorf("%+v", o)
		}
		if o := g.Do(t.Context(), adds(1)); !errors.Is(o.Err, errRefused) {
			t.Errorf("after Close: %+v", o)
		}
	})
}

// Each step is one batch. A number is a call's place in the order in which they came,
// with a mark: a for alone, h and a number for held back.
func TestWhoseTurnItIs(t *testing.T) {
	for queue, batches := range map[string][][]uint64{
		"1 2 3":          {{1, 2, 3}},
		"3 1 2":          {{1, 2, 3}},
		"1a 2 3":         {{1}, {2, 3}},
		"1 2a 3":         {{1}, {2}, {3}},
		"1a 2a":          {{1}, {2}},
		"1h1a 2 3":       {{2, 3}, {1}},
		"1h1a 2a 3a 4":   {{2}, {1}, {3}, {4}},
		"1h3a 2h1a":      {{2}, {1}},
		"1h2 2h2":        {{1, 2}},
		"1h2a 2h1a 3a 4": {{3}, {2}, {1}, {4}},
	} {
		g := New[*tally, int]()
		var calls []*call[*tally, int]
		for word := range strings.FieldsSeq(queue) {
			c := newCall[*tally, int](nil)
			word, c.alone = strings.CutSuffix(word, "a")
			place, hold, _ := strings.Cut(word, "h")
			c.ticket, _ = strconv.ParseUint(place, 10, 64)
			c.hold, _ = strconv.Atoi(hold)
			calls = append(calls, c)
		}
		g.putBack(calls)
		var got [][]uint64
		for g.Queued() > 0 {
			var batch []uint64
			for _, c := range g.take() {
				batch = append(batch, c.ticket)
			}
			got = append(got, batch)
		}
		if !reflect.DeepEqual(got, batches) {
			t.Errorf("%s: %v, want %v", queue, got, batches)
		}
	}
}

// Who waits is not woken for nothing, however callers come and go.
func TestACallerWhoLeavesWhileTheDriverWakesHoldsUpNothing(t *testing.T) {
	g := New[*tally, int]()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for ctx.Err() == nil {
				soon, stop := context.WithTimeout(ctx, time.Microsecond)
				g.Do(soon, adds(1))
				stop()
			}
		})
	}
	for g.Wait(ctx, 0, nil) { // nobody is ever held back
		g.Refuse(errRefused)
	}
	callers.Wait()
}

func TestRefuseEndsThoseWhoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New[*tally, int]()
		outcome := make(chan Outcome[int])
		go func() { outcome <- g.Do(t.Context(), adds(1)) }()
		synctest.Wait()
		g.Refuse(errRefused)
		if o := <-outcome; !errors.Is(o.Err, errRefused) || o.Own || o.Left {
			t.Errorf("%+v", o)
		}
	})
}

// Callers who give up before a request can be sent make it void for all who share it.
// That must not go on for ever for those who wait.
func TestWhoWaitsIsNotStarvedByThoseWhoGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t)
		d.delay = time.Second
		began := time.Now()
		patient, cancel := context.WithCancel(t.Context())
		var impatient, all sync.WaitGroup
		for i := range 3 {
			impatient.Go(func() {
				for patient.Err() == nil {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(300+200*i)*time.Millisecond)
					d.Do(ctx, adds(1000))
					cancel()
				}
			})
		}
		for range 5 {
			all.Go(func() {
				time.Sleep(time.Millisecond)
				if o := d.Do(within(t, time.Minute), adds(1)); o.Err != nil {
					t.Errorf("%+v", o)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		cancel()
		impatient.Wait()
	})
}
