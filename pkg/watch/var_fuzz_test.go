package watch_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A listener is a subscription with what it was told.
type listener struct {
	subscription *watch.Subscription
	release      chan struct{} // what a blocked callback waits for; nil: it never blocks
	last         int           // the newest value that it was told of
	calls        int
	running      bool
	stopped      bool // at most the call under way may still end
}

// Any sequence of stores, subscriptions, stops and blocked or panicking
// callbacks keeps each chain unbroken, one call at a time, and up to date when
// nothing blocks it.
func FuzzVar(f *testing.F) {
	for _, program := range []string{
		"", "v", "s", "sv", "vs", "svv", "ssvvv", "svxv", "sxv", "vsx",
		"bvvvr", "bvxr", "bvsvvrv", "pvvv", "pvxv", "ovv", "ovvsv", "cv", "svcvs", "bvc", "bvrc", "pbosvvvrvxvc", "sbpovvxxrvvxxc",
		"svwvw", "bvvwr", "vvvvssssvvvvxxxxvvvv",
	} {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program string) {
		synctest.Test(t, func(t *testing.T) {
			run(t, program[:min(len(program), 200)])
		})
	})
}

// run plays a program, one letter a step, and checks after each.
func run(t *testing.T, program string) {
	v := watch.NewVar(0)
	newest, closed := 0, false
	var all []*listener
	quiet := watch.OnPanic(func(any, []byte) {})
	subscribe := func(blocks bool, then func(*listener)) {
		l := &listener{stopped: closed}
		if blocks {
			l.release = make(chan struct{})
		}
		all = append(all, l)
		l.subscription = v.Subscribe(func(old, new int) {
			if l.running || l.stopped || old != l.last || new <= old {
				t.Errorf("from %d to %d, the last was %d; running %v, stopped %v", old, new, l.last, l.running, l.stopped)
			}
			l.running = true
			defer func() { l.running = false }()
			l.last = new
			l.calls++
			if l.release != nil {
				<-l.release
			}
			if then != nil {
				then(l)
			}
		}, quiet)
	}
	release := func() {
		for _, l := range all {
			if blocked := l.release; blocked != nil {
				l.release = nil // before the next call reads it
				close(blocked)
			}
		}
	}
	for _, step := range program {
		switch step {
		case 'v':
			v.Store(newest + 1)
			if !closed {
				newest++
			}
		case 's':
			subscribe(false, nil)
		case 'b':
			subscribe(true, nil)
		case 'p':
			subscribe(false, func(*listener) { panic("on purpose") })
		case 'o': // once
			subscribe(false, func(l *listener) {
				l.subscription.Stop()
				l.stopped = true
			})
		case 'x': // the oldest that has not been stopped
			for _, l := range all {
				if !l.stopped {
					release() // or Stop would wait for ever
					l.subscription.Stop()
					if l.running {
						t.Error("the callback runs after Stop")
					}
					l.stopped = true
					break
				}
			}
		case 'r':
			release()
		case 'w':
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if got, err := v.Wait(ctx, func(int) bool { return true }); got != newest {
				t.Errorf("Wait = %d, %v, want %d", got, err, newest)
			}
		case 'c':
			release()
			v.Close()
			closed = true
			for _, l := range all {
				if l.running {
					t.Error("a callback runs after Close")
				}
				l.stopped = true
			}
		}
		synctest.Wait()
		if got := v.Load(); got != newest {
			t.Fatalf("Load = %d, want %d", got, newest)
		}
		for i, l := range all {
			if !l.stopped && !l.running && l.last != newest {
				t.Fatalf("after %q listener %d is at %d, want %d", program, i, l.last, newest)
			}
			if l.calls > newest {
				t.Fatalf("listener %d was called %d times for %d values", i, l.calls, newest)
			}
		}
	}
	release()
	v.Close()
}
