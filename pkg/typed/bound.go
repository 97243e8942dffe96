package typed

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/internal/panics"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A bound is what [Value] and [Derived] share: the last good value made of a store's
// versions, and why there is no newer one.
//
// The view that the bound attaches to the store examines each version, and so does a
// caller who has just written. Both run codecs without a lock, so a codec that blocks
// stops neither the store nor anybody who reads or writes by other means. So findings
// may come in any order; publish sorts that out.
type bound[T any] struct {
	store   *mapstore.Store
	name    string // the key, or the type in parentheses
	same    func(a, b *state[T]) bool
	states  *watch.Var[*state[T]]
	initial *state[T]
	view    *mapstore.View

	mu       sync.Mutex // protects all below, and makes publishing one step
	examined uint64     // the sequence number of the newest version that was examined
	accepted uint64     // the sequence number of the newest version that was good
	closed   bool
}

// A state never changes.
type state[T any] struct {
	value   T
	text    string          // what a Value was decoded from
	present bool            // whether there was a text
	from    mapstore.Reader // what a Derived's value was made of

	err     *RejectedError // why a newer value was rejected; nil if none was
	refused string         // the text that err is about
}

// A finding is the result of examining one version.
type finding[T any] struct {
	state[T]
	good    bool              // Load may return value
	reasons map[string]string // what err is about, for Status

	missing []string // those keys that are required and have no good text
}

func (f *finding[T]) fail(name, refused string, err error) {
	f.good, f.refused, f.err = false, refused, rejectedBy(name, err)
	f.reasons = map[string]string{name: f.err.Reason}
}

func newBound[T any](store *mapstore.Store, name string, initial *state[T], same func(a, b *state[T]) bool) *bound[T] {
	return &bound[T]{store: store, name: name, initial: initial, same: same, states: watch.NewVar(initial)}
}

// follow examines the current version before it returns, and newer versions as they
// come.
func (b *bound[T]) follow(examine func(sequence uint64, now mapstore.Reader)) {
	b.view = &mapstore.View{
		Name: "value of " + b.name,
		See:  func(now *mapstore.Snapshot) { examine(now.Sequence(), now) },
		Var:  b.states,
	}
	b.store.Attach(b.view)
}

// isOld reports whether a version need not be examined any more.
func (b *bound[T]) isOld(sequence uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed || sequence <= b.accepted
}

// publish makes the finding about one version known, unless it is outdated. A good text
// that comes late, after newer texts were rejected, still counts: Load returns it, and
// the newer ones stay rejected.
func (b *bound[T]) publish(sequence uint64, next finding[T]) {
	news, flipped := b.replace(sequence, &next)
	if !news {
		return
	}
	logger := b.view.Logger().WithValues("key", b.name)
	if next.err == nil {
		logger.Info("A value is accepted again")
		return
	}
	if flipped {
		logger.Error(nil, "A value is rejected; serving the last good one", "reason", next.err.Reason)
	}
	if p, ok := errors.AsType[*panicked](next.err.Cause); ok {
		logger.Error(nil, "What decodes a value panicked", "panic", p.what, "stack", panics.Trace(p.stack))
	}
}

// replace stores the state that next leads to. It reports whether what is rejected has
// changed, and whether that has flipped between nothing and something.
func (b *bound[T]) replace(sequence uint64, next *finding[T]) (news, flipped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := sequence <= b.examined
	if b.closed || late && (next.err != nil || sequence <= b.accepted) {
		return false, false
	}
	now := b.states.Load()
	wasWrong := now.err != nil && b.examined > 0 // an error of a Derived's function about the empty map does not count
	b.examined = max(b.examined, sequence)
	if next.err == nil {
		b.accepted = sequence
	}
	if !next.good {
		next.value, next.text, next.present, next.from = now.value, now.text, now.present, now.from
	}
	if late {
		next.err, next.refused = now.err, now.refused
	}
	unchanged := b.same(now, &next.state)
	if unchanged {
		next.value = now.value // readers may compare pointers
	}
	isWrong := next.err != nil
	flipped = isWrong != wasWrong
	news = flipped || isWrong && (next.refused != now.refused || next.err.Reason != now.err.Reason)
	if !unchanged || news || isWrong != (now.err != nil) || next.from != now.from {
		b.states.Store(&next.state)
	}
	if news {
		b.view.Reject(next.reasons)
	}
	if !late {
		b.view.Require(next.missing...)
	}
	return news, flipped
}

func (b *bound[T]) load() T { return b.states.Load().value }

// err returns why the newest value was rejected; an untyped nil if it was not.
func (b *bound[T]) err() error {
	if err := b.states.Load().err; err != nil {
		return err
	}
	return nil
}

func (b *bound[T]) onChange(fn func(old, new T)) *watch.Subscription {
	if fn == nil {
		panic("typed: OnChange with a nil function")
	}
	last := b.initial
	return b.states.Subscribe(func(_, now *state[T]) {
		if b.same(last, now) {
			return
		}
		old := last
		last = now
		if b.view.Settle(context.Background()) {
			fn(old.value, now.value)
		}
	}, watch.OnPanic(b.view.LogPanic), watch.NamedAfter(fn))
}

func (b *bound[T]) waitUntil(ctx context.Context, cond func(T) bool) (T, error) {
	var none T
	if cond == nil {
		return none, fmt.Errorf("%w: the condition is nil", mapstore.ErrInvalidArgument)
	}
	met, err := b.states.Wait(ctx, func(now *state[T]) bool { return cond(now.value) })
	switch {
	case err == nil:
		b.view.Settle(ctx)
		return met.value, nil
	case errors.Is(err, watch.ErrClosed):
		return none, mapstore.ErrClosed
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
	b.view.Detach()
}

func (b *bound[T]) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
