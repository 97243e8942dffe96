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
	deliver func() // makes one step of the chain; does nothing if the newest version was seen
	owner   owner
	options options

	mu      sync.Mutex // protects all below
	stopped bool
	running bool          // a worker runs the callback, or soon will
	again   bool          // woken while running
	runner  uint64        // the id of the goroutine that runs the callback; 0 if none does
	woken   wakeTime      // if running: when the oldest value of this run was stored
	next    wakeTime      // if again: when the first value after that was stored
	ended   chan struct{} // closed when the current run ends; nil if nobody waits for that
}

// An owner is the Var of a subscription, whatever its type.
type owner interface {
	remove(f follower)
	schedule(s *Subscription) // makes a worker run s soon
}

// A wakeTime is when a follower was woken. It takes a third of the space of a time.Time:
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

// OnPanic sets a function that is called, in the callback's goroutine, when the callback
// panics. It gets the panic's value and the stack. The subscription then goes on with
// the next version. By default, the stack and the type of the value are logged through
// log/slog.
func OnPanic(fn func(recovered any, stack []byte)) Option {
	return func(o *options) { o.onPanic = fn }
}

// Named gives the subscription a name for people to read. The default is none.
func Named(name string) Option {
	return func(o *options) { o.name = name }
}

// NamedAfter gives the subscription the name of a function: its package and its name, as
// stack traces show them.
func NamedAfter(fn any) Option {
	return Named(runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name())
}

// Subscribe calls fn for each step of the chain that the package documentation
// describes, until the subscription is stopped or the Var closed. There is one call at a
// time, never in the caller's goroutine. Subscribe panics when fn is nil.
func (v *Var[T]) Subscribe(fn func(old, new T), opts ...Option) *Subscription {
	if fn == nil {
		panic("watch: Subscribe with a nil function")
	}
	seen := v.initial // used by deliver only, of which one call runs at a time
	s := &Subscription{
		deliver: func() {
			now := v.current.Load()
			if now == seen {
				return
			}
			old := seen
			seen = now // before the call: after a panic, the version must not come again
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

// Name returns the name that [Named], [NamedAfter] or SetName gave the subscription; "" if
// none.
func (s *Subscription) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.name
}

// SetName gives the subscription another name for people to read, and returns the
// subscription:
//
//	store.OnChange(reload).SetName("reload the routes")
func (s *Subscription) SetName(name string) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.name = name
	return s
}

// Stopped reports whether the subscription has ended: fn is not called again.
func (s *Subscription) Stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Lag returns how long ago the oldest value was stored that the callback has not
// finished with; zero if it has finished with all. So Lag grows while a callback blocks.
// A value counts even if a newer one replaced it before the callback saw it.
func (s *Subscription) Lag() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return 0
	}
	return time.Duration(wakeTimeNow() - s.woken)
}

// Stop ends the subscription: once Stop has returned, fn is not running and will not
// run. If fn itself calls Stop, Stop returns at once, and fn is not called again. Stop
// may be called more than once.
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

// end marks the subscription as stopped. If a run is under way, it returns a channel that
// is closed when the run ends, and whether the caller is inside that run.
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

// wake schedules a run for a value that was stored at now, or another run after the
// current one.
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

// run makes one step, in the goroutine with the given id. It calls finish even if the
// callback panics or ends its goroutine with runtime.Goexit.
func (s *Subscription) run(goroutine uint64) {
	defer s.finish()
	if !s.begin(goroutine) {
		return
	}
	defer s.recover()
	s.deliver()
}

// begin notes which goroutine runs the callback, so that Stop knows when it is called
// from inside it. It returns false if the subscription was stopped before the run began.
func (s *Subscription) begin(goroutine uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runner = goroutine
	return !s.stopped
}

// finish ends a run, and schedules another if there is something new.
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

	if stopped { // not earlier: until now, the Var's Close must find it and wait for it
		s.owner.remove(s)
	}
	if ended != nil {
		close(ended)
	}
}

// recover reports a panic of the callback.
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
	// The panic's value may quote the data that was being handled, so log only its type.
	slog.Error("watch: a callback panicked", "type", fmt.Sprintf("%T", recovered), "stack", panics.Trace(stack))
}
