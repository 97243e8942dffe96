package watch

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/panics"
)

// A Subscription is one function that follows a [Var]. While there is nothing
// to deliver it holds no goroutine.
type Subscription struct {
	deliver func() // one step of the chain, or nothing when the newest version was seen
	owner   owner
	options options

	mu      sync.Mutex // protects all below
	stopped bool
	running bool          // or waiting for a worker
	again   bool          // woken while running
	runner  uint64        // the goroutine that runs the callback, 0 when none does
	woken   wakeTime      // when what the current run delivers was stored, if running
	next    wakeTime      // when the first value after that was stored, if again
	ended   chan struct{} // closed when the current run ends; made by whoever waits for it
}

// An owner is the Var of a subscription, whatever its type.
type owner interface {
	remove(f follower)
	schedule(s *Subscription) // has a worker run s, soon
}

// A wakeTime is when a follower was woken. It takes a third of a time.Time's space:
// there may be many thousand subscriptions.
type wakeTime time.Duration

var processStart = time.Now()

func wakeTimeNow() wakeTime { return wakeTime(time.Since(processStart)) }

// An Option changes how a subscription behaves.
type Option func(*options)

type options struct {
	onPanic func(recovered any, stack []byte)
	name    string
}

// OnPanic sets what is called, in the callback's goroutine, when a callback
// panics. It gets the value of the panic and the stack. The subscription then goes
// on with the next version. By default the stack and the type of the value are
// logged through log/slog.
func OnPanic(fn func(recovered any, stack []byte)) Option {
	return func(o *options) { o.onPanic = fn }
}

// Named gives the subscription a name for people to read. The default is none.
func Named(name string) Option {
	return func(o *options) { o.name = name }
}

// NamedAfter gives the subscription the name of a function: that of the package,
// and in it that of the function, as stack traces have them.
func NamedAfter(fn any) Option {
	return Named(runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name())
}

// Subscribe calls fn for each step of the chain of changes that the package
// documentation describes, one call at a time and never in the caller's
// goroutine, until the subscription is stopped or the Var closed. It panics
// when fn is nil.
func (v *Var[T]) Subscribe(fn func(old, new T), opts ...Option) *Subscription {
	if fn == nil {
		panic("watch: Subscribe with a nil function")
	}
	seen := v.initial // touched by deliver only, which runs one at a time
	s := &Subscription{
		deliver: func() {
			now := v.current.Load()
			if now == seen {
				return
			}
			old := seen
			seen = now // before the call: a panic must not bring the version again
			fn(old.value, now.value)
		},
		owner: v,
	}
	for _, opt := range opts {
		opt(&s.options)
	}
	if !v.add(s) {
		s.stopped = true
		return s
	}
	if v.current.Load() != v.initial {
		s.wake(wakeTimeNow())
	}
	return s
}

// Name returns the name that [Named] has given the subscription.
func (s *Subscription) Name() string { return s.options.name }

// Lag returns the age of the oldest value that the callback has not finished with,
// and zero when it has finished with all of them. So Lag grows while a callback
// blocks. A value that was replaced by a newer one before the callback came to it
// still counts, from the time when it was stored.
func (s *Subscription) Lag() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return 0
	}
	return time.Duration(wakeTimeNow() - s.woken)
}

// Stop ends the subscription: once Stop has returned, fn is not running and will
// not run. When fn itself calls Stop, it returns at once, and fn is not called
// again. Stop may be called more than once.
//
// Two callbacks that stop each other at the same time deadlock.
func (s *Subscription) Stop() {
	ended, own := s.end()
	if ended == nil {
		s.owner.remove(s)
	} else if !own {
		<-ended
	}
}

// end marks the subscription as stopped. When a run is under way it returns the
// channel that is closed at the run's end, and whether the caller is that run.
func (s *Subscription) end() (ended <-chan struct{}, own bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if !s.running {
		return nil, false
	}
	if s.ended == nil {
		s.ended = make(chan struct{})
	}
	return s.ended, s.runner == goroutineID()
}

func (s *Subscription) wake(now wakeTime) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped, s.again:
	case s.running:
		s.again, s.next = true, now
	default:
		s.running, s.woken = true, now
		s.owner.schedule(s)
	}
}

// run delivers one step, in the goroutine with the given id. It calls finish even
// when the callback panics or ends its goroutine with runtime.Goexit.
func (s *Subscription) run(goroutine uint64) {
	defer s.finish()
	if !s.begin(goroutine) {
		return
	}
	defer s.recover()
	s.deliver()
}

// begin notes which goroutine runs, so that Stop knows when it is called from
// inside the callback. It returns false when the subscription was stopped
// before the run got under way.
func (s *Subscription) begin(goroutine uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runner = goroutine
	return !s.stopped
}

func (s *Subscription) finish() {
	s.mu.Lock()
	s.runner = 0
	if s.again && !s.stopped {
		s.again, s.woken = false, s.next
		s.owner.schedule(s)
		s.mu.Unlock()
		return
	}
	s.running, s.again = false, false
	stopped, ended := s.stopped, s.ended
	s.ended = nil
	s.mu.Unlock()

	if stopped { // only now, so that until now the Var's Close waits for it
		s.owner.remove(s)
	}
	if ended != nil {
		close(ended)
	}
}

func (s *Subscription) recover() {
	recovered := recover()
	if recovered == nil {
		return
	}
	stack := debug.Stack()
	if s.options.onPanic != nil {
		s.options.onPanic(recovered, stack)
		return
	}
	// The value may quote what was being handled, so only its type is logged.
	slog.Error("watch: a callback panicked", "type", fmt.Sprintf("%T", recovered), "stack", panics.Trace(stack))
}
