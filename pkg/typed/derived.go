package typed

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Derived is what a function makes of the whole map, made anew for each
// version. [Derive] makes it; its methods may be called from any goroutine.
//
// What it holds is shared between all who load it: if T is, or contains, a
// pointer, a map or a slice, that must not be changed.
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
// fn runs before Derive returns, in the caller's goroutine, on an empty map and
// then on the current version; and on each newer one, when versions follow each
// other fast on the newest. It must depend on nothing but its argument, and make
// a new T each time. The map need not be synced, nor the store started:
// until then, Load returns what fn makes of the empty map.
//
// When fn returns an error, Err says so, and what Load returns depends on whose
// fault it is:
//   - If the error consists of nothing but errors of From, joined, wrapped or the
//     first one alone, the keys that they name do not hide others: fn runs again
//     on the same version with the last good values of those keys, or without
//     them if they have none.
//   - If it says anything else, as a check does whether the keys fit together,
//     or if fn panics, the last good T stays as a whole: that of the empty map,
//     or the zero T if fn refuses that too.
//
// [mapstore.Status].Rejected has the keys, or else the type in parentheses.
//
// A Derived costs a subscription, and ends with its own Close or the store's.
// Derive panics when store or fn is nil.
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

// Load returns the current T. It costs two atomic loads, never blocks and never
// fails. After Close it stays as it was.
func (d *Derived[T]) Load() T { return d.bound.load() }

// Err returns what is wrong with the newest version, as a [RejectedError]; nil if
// nothing is.
func (d *Derived[T]) Err() error { return d.bound.err() }

// OnChange calls fn with each change of what Load returns, as [Value.OnChange]
// does. The first call leads from what Derive's function makes of an empty map. If
// that function makes an equal T of a version, by [reflect.DeepEqual], fn is not
// called, and Load goes on to return the T before. OnChange panics when fn is nil.
func (d *Derived[T]) OnChange(fn func(old, new T)) *watch.Subscription {
	return d.bound.onChange(fn)
}

// WaitUntil blocks until what Load returns meets cond, and returns it, under the
// terms of [Value.WaitUntil]. Before the first sync that is what Derive's function
// makes of an empty map.
func (d *Derived[T]) WaitUntil(ctx context.Context, cond func(T) bool) (T, error) {
	return d.bound.waitUntil(ctx, cond)
}

// Close ends the Derived, under the terms of [Value.Close].
func (d *Derived[T]) Close() { d.bound.close() }

func (d *Derived[T]) examine(sequence uint64, now mapstore.Reader) {
	if d.bound.isOld(sequence) {
		return
	}
	var next finding[T]
	next.fail(d.bound.name, "", errEnded) // for a function that does not return
	defer func() { d.bound.publish(sequence, next) }()
	next = d.derive(d.bound.name, now, d.bound.states.Load().from)
}

// derive runs the function on a version of the map, and as long as that names
// keys that are rejected, again with what they were in the version last. So it
// ends after as many runs as there are keys.
func (d *Derived[T]) derive(name string, now, last mapstore.Reader) finding[T] {
	var errs []error
	var replaced []string
	for view := now; ; {
		value, err := recovering(d.fn, view)
		if err == nil {
			next := finding[T]{state: state[T]{value: value, from: view}, good: true}
			if len(errs) > 0 {
				next.fail(name, "", errors.Join(errs...))
				next.good, next.keys = true, replaced
				next.refused = next.err.Reason
			}
			return next
		}
		errs = append(errs, err)
		keys := keysAtFault(err)
		before := len(replaced)
		replaced = append(replaced, keys...)
		slices.Sort(replaced)
		if replaced = slices.Compact(replaced); len(replaced) == before {
			next := finding[T]{state: state[T]{from: last}}
			next.fail(name, "", errors.Join(errs...))
			next.refused = next.err.Reason + strings.Join(next.keys, " ")
			return next
		}
		view = with(view, keys, last)
	}
}

// with returns a version with the values that keys have in other.
func with(version mapstore.Reader, keys []string, other mapstore.Reader) mapstore.Reader {
	values := maps.Collect(version.All())
	for _, key := range keys {
		if value, ok := other.Get(key); ok {
			values[key] = value
		} else {
			delete(values, key)
		}
	}
	return mapstore.NewSnapshot(values)
}
