package typed

import (
	"context"
	"errors"
	"reflect"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Derived holds what a function makes of the whole map, made anew for each version.
// [Derive] makes a Derived; its methods may be called from any goroutine.
//
// All callers of Load share what it returns: if T is, or contains, a pointer, a map or a
// slice, do not change that.
type Derived[T any] struct {
	bound *bound[T]
	fn    func(mapstore.Reader) (T, error)
}

// Derive makes a T of the whole map, for a struct of many keys that are read
// from one version of it. [Codec.From] decodes one of them:
//
//	settings := typed.Derive(store, func(now mapstore.Reader) (Settings, error) {
//		port, err1 := typed.Int[int]().From(now, "port", 8080)
//		wait, err2 := typed.Duration().From(now, "wait", time.Second)
//		return Settings{port, wait}, errors.Join(err1, err2)
//	})
//
// Before Derive returns, fn runs in the caller's goroutine, on an empty map and then on
// the current version. After that it runs on each newer version; if several come at
// once, only on the newest. It must depend on nothing but its argument, and make a new T
// each time. The store need not be started or synced: until then, Load returns what fn
// makes of the empty map.
//
// When fn returns an error, Err says so, and what Load returns depends on the error:
//   - If it consists only of errors of From (one or several, joined or wrapped), the
//     rejected keys do not hold back the others: fn runs again on the same version, with
//     the last good values of those keys, or without them if they have none.
//   - If it says anything else, such as that the keys do not fit together, or if fn
//     panics, Load still returns the last good T as a whole. If there has been none,
//     that is the T of the empty map, or the zero T if fn rejects the empty map too.
//
// [mapstore.Status].Rejected names the keys; in the second case, the type in
// parentheses.
//
// A Derived costs a subscription. It ends with its own Close or the store's. Derive
// panics when store or fn is nil.
func Derive[T any](store *mapstore.Store, fn func(mapstore.Reader) (T, error)) *Derived[T] {
	if store == nil || fn == nil {
		panic("typed: Derive with a nil store or function")
	}
	name := "(" + reflect.TypeFor[T]().String() + ")"
	same := func(a, b *state[T]) bool { return reflect.DeepEqual(a.value, b.value) }
	d := &Derived[T]{fn: fn}
	empty := d.derive(name, &mapstore.Snapshot{}, &mapstore.Snapshot{})
	d.bound = newBound(store, name, &empty.state, same)
	d.bound.follow(d.examine)
	return d
}

// Load returns the current T. It costs one atomic load, never blocks and never fails.
// After Close it still returns the last T.
func (d *Derived[T]) Load() T { return d.bound.load() }

// Err returns why the newest version, or some of its keys, were rejected, as a
// [RejectedError]; nil if nothing was.
func (d *Derived[T]) Err() error { return d.bound.err() }

// OnChange calls fn with each change of what Load returns, as [Value.OnChange] does. The
// first call's old is what Derive's function makes of an empty map. If that function
// makes a T that equals the one before, by [reflect.DeepEqual], fn is not called, and
// Load still returns the one before. OnChange panics when fn is nil.
func (d *Derived[T]) OnChange(fn func(old, new T)) *watch.Subscription {
	return d.bound.onChange(fn)
}

// WaitUntil blocks until what Load returns meets cond, and returns it, as
// [Value.WaitUntil] does. Before the first sync, Load returns what Derive's function
// makes of an empty map.
func (d *Derived[T]) WaitUntil(ctx context.Context, cond func(T) bool) (T, error) {
	return d.bound.waitUntil(ctx, cond)
}

// Close ends the Derived, as [Value.Close] ends a Value.
func (d *Derived[T]) Close() { d.bound.close() }

func (d *Derived[T]) examine(sequence uint64, now mapstore.Reader) {
	if d.bound.isOld(sequence) {
		return
	}
	var next finding[T]
	next.fail(d.bound.name, "", errEnded) // unless the function returns
	defer func() { d.bound.publish(sequence, next) }()
	next = d.derive(d.bound.name, now, d.bound.states.Load().from)
}

// derive runs the function on a version of the map. As long as the function names more
// rejected keys, derive runs it again with the values that those keys have in last. It
// ends after one run for each such key at most, and one more.
func (d *Derived[T]) derive(name string, now, last mapstore.Reader) finding[T] {
	var errs []error
	view := &revision{Reader: now}
	for {
		value, err := recovering(d.fn, mapstore.Reader(view))
		if err == nil {
			next := finding[T]{state: state[T]{value: value, from: view}, good: true}
			if len(errs) > 0 {
				next.fail(name, "", join(errs))
				next.good, next.reasons, next.missing = true, reasonsByKey(next.err.Cause), missingKeys(next.err.Cause, last)
				next.refused = next.err.Reason
			}
			return next
		}
		if wrong := withoutKept(err); wrong != nil {
			errs = append(errs, wrong)
		}
		next, ok := view.with(keysAtFault(err), last)
		if !ok {
			next := finding[T]{state: state[T]{value: value, from: last}}
			next.fail(name, "", join(errs))
			next.missing = missingKeys(next.err.Cause, last)
			next.refused = next.err.Reason + name
			return next
		}
		view = next
	}
}

func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
