package mapstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A bound is what [Value] and [Derived] have in common: the last good value made
// of a store's versions, and why there is no newer one.
//
// The versions are examined in a subscription of its own, and by whoever has
// just written. Codecs run in there, and no lock is held meanwhile: a codec that
// blocks stops neither the store nor who reads or writes by other means. The
// outcomes may come in any order; settle puts them right.
type bound[T any] struct {
	store    *Store
	name     string // the key, or the type in parentheses
	same     func(a, b *state[T]) bool
	states   *watch.Var[*state[T]]
	initial  *state[T]
	follower *watch.Subscription // set before anybody else knows of the bound

	mu       sync.Mutex // protects all below, and makes settling one step
	examined uint64     // the serial of the newest version that was examined
	accepted uint64     // the serial of the newest version that was good
	closed   bool
}

// A state never changes.
type state[T any] struct {
	value   T
	text    string    // what a Value was decoded from
	present bool      // whether there was one
	from    *Snapshot // what a Derived's value was made of

	err     *RejectedError // why there is no newer value; nil if there is none
	refused string         // the text that err is about
}

// A finding is what examining one version has come to.
type finding[T any] struct {
	state[T]
	good bool     // value is to be served
	keys []string // what err is about, for Status
}

func newBound[T any](store *Store, name string, initial *state[T], same func(a, b *state[T]) bool) *bound[T] {
	return &bound[T]{store: store, name: name, initial: initial, same: same, states: watch.NewVar(initial)}
}

// follow examines the current version before it returns, and newer ones as they
// come. A subscription that began at the current version would not do: it would
// not hear if that is undone before its first step.
func (b *bound[T]) follow(examine func(*Snapshot)) {
	examine(b.store.current.Load())
	b.store.bindings.add(b.states)
	b.follower = b.store.current.Subscribe(func(_, now *Snapshot) { examine(now) }, watch.OnPanic(b.store.logPanic), watch.Named("value of "+b.name))
}

// isOld reports whether there is nothing to learn from a version any more.
func (b *bound[T]) isOld(serial uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed || serial <= b.accepted
}

// settle makes the outcome of one version known, unless that of a newer one is.
// One good text may be late: that of a version behind which others were
// rejected. It is served, and they stay rejected.
func (b *bound[T]) settle(serial uint64, next finding[T]) {
	news, turned := b.replace(serial, &next)
	if !news {
		return
	}
	logger := b.store.options.Logger.WithValues("key", b.name)
	if next.err == nil {
		if turned {
			logger.Info("A value is accepted again")
		}
		return
	}
	if turned {
		logger.Info("A value is rejected; serving the last good one", "reason", next.err.Reason)
	}
	if p, ok := errors.AsType[*panicked](next.err.Cause); ok {
		logger.Error(nil, "What decodes a value panicked", "panic", p.what, "stack", string(p.stack))
	}
}

// replace reports whether there is news of what is rejected, and whether that
// has turned: from nothing to something, or back.
func (b *bound[T]) replace(serial uint64, next *finding[T]) (news, turned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := serial <= b.examined
	if b.closed || late && (next.err != nil || serial <= b.accepted) {
		return false, false
	}
	now, wasWrong := b.states.Load(), false
	if b.examined > 0 { // what a Derived's function says of the empty map is nobody's fault
		wasWrong = now.err != nil
	}
	b.examined = max(b.examined, serial)
	if next.err == nil {
		b.accepted = serial
	}
	if !next.good {
		next.value, next.text, next.present, next.from = now.value, now.text, now.present, now.from
	}
	if late {
		next.err, next.refused = now.err, now.refused
	}
	unchanged := b.same(now, &next.state)
	if unchanged {
		next.value = now.value // readers may compare it by its pointer
	}
	isWrong := next.err != nil
	news = isWrong != wasWrong || isWrong && next.refused != now.refused
	if !unchanged || news || isWrong != (now.err != nil) || next.from != now.from {
		b.states.Store(&next.state)
	}
	if !news || late {
		return false, false
	}
	if isWrong {
		b.store.rejections.total.Add(1)
	}
	return true, b.store.rejections.set(b, next.keys)
}

func (b *bound[T]) load() T { return b.states.Load().value }

// err returns an untyped nil if there is none.
func (b *bound[T]) err() error {
	if err := b.states.Load().err; err != nil {
		return err
	}
	return nil
}

func (b *bound[T]) onChange(fn func(old, new T)) *watch.Subscription {
	last := b.initial
	return b.states.Subscribe(func(_, now *state[T]) {
		if b.same(last, now) {
			return
		}
		old := last
		last = now
		fn(old.value, now.value)
	}, watch.OnPanic(b.store.logPanic), namedAfter(fn))
}

func (b *bound[T]) waitUntil(ctx context.Context, cond func(T) bool) (T, error) {
	var none T
	if cond == nil {
		return none, fmt.Errorf("%w: the condition is nil", ErrInvalidArgument)
	}
	met, err := b.states.Wait(ctx, func(now *state[T]) bool { return cond(now.value) })
	switch {
	case err == nil:
		return met.value, nil
	case errors.Is(err, watch.ErrClosed):
		return none, ErrClosed
	}
	for _, why := range []error{b.store.Status().Err, b.err()} {
		if why != nil {
			return none, fmt.Errorf("mapstore: waiting for %.300q: %w: %w", b.name, err, why)
		}
	}
	return none, fmt.Errorf("mapstore: waiting for %.300q: %w", b.name, err)
}

func (b *bound[T]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.follower.Stop()
	b.states.Close()
	b.store.bindings.remove(b.states)
	b.store.rejections.set(b, nil)
}

func (b *bound[T]) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
