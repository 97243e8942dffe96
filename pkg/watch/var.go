package watch

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
)

// ErrClosed is returned by [Var.Wait] when the Var has been closed.
var ErrClosed = errors.New("watch: closed")

// A Var holds the newest version of a value, and tells its followers when it changes.
// Readers share the values, so a value must not be modified once it is stored. [NewVar]
// makes a Var; its methods may be called from any goroutine.
type Var[T any] struct {
	current atomic.Pointer[version[T]]
	initial *version[T]
	workers workerPool

	mu        sync.Mutex            // protects followers, closed, and the order of stores
	followers map[follower]struct{} // nil before the first one
	closed    bool
}

// A version gives each stored value an identity, so that followers know whether they have
// seen it even if T is not comparable.
type version[T any] struct{ value T }

// A follower is woken when there may be something new. Its wake must return at once,
// because it runs under the Var's lock.
type follower interface{ wake(now wakeTime) }

// NewVar returns a Var that holds initial, from which every follower starts.
func NewVar[T any](initial T) *Var[T] {
	v := &Var[T]{initial: &version[T]{initial}}
	v.current.Store(v.initial)
	return v
}

// Load returns the newest value. It works after Close, too.
func (v *Var[T]) Load() T {
	return v.current.Load().value
}

// Store makes value the newest one and wakes the followers, without waiting for
// them. After Close it does nothing.
func (v *Var[T]) Store(value T) {
	next := &version[T]{value}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.current.Store(next)
	now := wakeTimeNow()
	for f := range v.followers {
		f.wake(now)
	}
}

// Subscriptions returns the subscriptions, in no particular order. It includes a stopped
// subscription until its callback has ended.
func (v *Var[T]) Subscriptions() []*Subscription {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []*Subscription
	for f := range v.followers {
		if s, ok := f.(*Subscription); ok {
			all = append(all, s)
		}
	}
	return all
}

// Close closes the Var: its value no longer changes, its iterators and waiters end, and
// once Close has returned, no callback runs. If a callback calls Close, of this Var or of
// another, Close waits for no callback: each callback that is running ends with its
// current step. Close may be called more than once.
func (v *Var[T]) Close() { CloseAll(v) }

// end closes v and stops its subscriptions, without waiting for any.
func (v *Var[T]) end() (running []<-chan struct{}) {
	v.mu.Lock()
	v.closed = true
	subscriptions := make([]*Subscription, 0, len(v.followers))
	for f := range v.followers {
		if s, ok := f.(*Subscription); ok {
			subscriptions = append(subscriptions, s)
		} else {
			f.wake(wakeTimeNow())
		}
	}
	v.mu.Unlock()

	for _, s := range subscriptions {
		if ended, _ := s.end(); ended != nil {
			running = append(running, ended)
		}
	}
	return running
}

// Changes returns an iterator over the chain's steps, as pairs of an old and a new value.
// It runs in the caller's goroutine and blocks until there is a next pair. It ends when
// ctx is done or the Var is closed.
func (v *Var[T]) Changes(ctx context.Context) iter.Seq2[T, T] {
	return func(yield func(T, T) bool) {
		seen := v.initial
		_ = v.follow(ctx, func(now *version[T]) bool {
			if now == seen {
				return true
			}
			old := seen
			seen = now
			return yield(old.value, now.value)
		})
	}
}

// Wait blocks until the value meets cond, and returns it. It calls cond in the caller's
// goroutine, with the current value and then with newer ones. If ctx ends first, Wait
// returns ctx's error; if the Var is closed first, [ErrClosed]. With an error it returns
// the newest value that it has seen; cond has returned false for it or was not called.
func (v *Var[T]) Wait(ctx context.Context, cond func(T) bool) (T, error) {
	var last *version[T]
	met := false
	err := v.follow(ctx, func(now *version[T]) bool {
		if now != last {
			last = now
			met = cond(now.value)
		}
		return !met
	})
	if met {
		err = nil
	} else if last == nil {
		last = v.current.Load()
	}
	return last.value, err
}

// follow calls step with the current version, and again whenever there may be a
// newer one, until step returns false, ctx ends, or the Var is closed.
func (v *Var[T]) follow(ctx context.Context, step func(*version[T]) bool) error {
	news := make(waker, 1)
	if !v.add(news) {
		return ErrClosed
	}
	defer v.remove(news)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		closed := v.isClosed() // before the value is loaded, so that the last one is not missed
		if !step(v.current.Load()) {
			return nil
		}
		if closed {
			return ErrClosed
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A waker is the follower of a caller who waits in its own goroutine. It holds one token
// when there may be something new.
type waker chan struct{}

func (w waker) wake(wakeTime) {
	select {
	case w <- struct{}{}:
	default: // already told
	}
}

func (v *Var[T]) add(f follower) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	if v.followers == nil {
		v.followers = make(map[follower]struct{})
	}
	v.followers[f] = struct{}{}
	return true
}

func (v *Var[T]) remove(f follower) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.followers, f)
}

func (v *Var[T]) schedule(s *Subscription) { v.workers.schedule(s) }

func (v *Var[T]) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}
