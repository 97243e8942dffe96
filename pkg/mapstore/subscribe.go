package mapstore

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"slices"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// OnChange calls fn with each [Change] that one of the filters lets through, or
// with every one if there are none, until the subscription is stopped or the
// store closed. It panics when fn or a filter is nil.
//
// The first Change has an empty Old, so that folding the deltas from an empty
// map always gives the contents of the store. Calls follow one another, in a
// goroutine that exists only while there is something to tell. Versions that
// arrive during a call are merged into the next Change, so a slow fn costs only
// itself. Versions in which nothing changes that fn would see call nobody. When
// writes stop, the last Change is the current state.
//
// fn may read, write, subscribe, stop and close. If it panics, that is logged
// with its stack, though not with what the panic said, which might quote a
// value; the subscription then goes on.
func (s *Store) OnChange(fn func(Change), filters ...Filter) *watch.Subscription {
	if fn == nil || slices.ContainsFunc(filters, func(f Filter) bool { return f == nil }) {
		panic("mapstore: OnChange with a nil function or filter")
	}
	chain := s.newChain(filters)
	return s.current.Subscribe(func(_, now *Snapshot) {
		if change, ok := chain.next(now); ok {
			fn(change)
		}
	}, watch.OnPanic(s.logPanic), namedAfter(fn))
}

// namedAfter gives a subscription the name of its function.
func namedAfter(fn any) watch.Option {
	return watch.Named(runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name())
}

// Changes iterates over the same chain of changes as OnChange brings, in the
// caller's goroutine. It ends when ctx is done or the store is closed.
func (s *Store) Changes(ctx context.Context, filters ...Filter) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		chain := s.newChain(filters)
		for _, now := range s.current.Changes(ctx) {
			if change, ok := chain.next(now); ok && !yield(change) {
				return
			}
		}
	}
}

// A chain is how far one subscriber has come. Versions of which it is not told
// leave it where it is, so that each Change starts where the one before ended.
type chain struct {
	last    *Snapshot
	filters []Filter
}

func (s *Store) newChain(filters []Filter) *chain {
	return &chain{last: &Snapshot{}, filters: filters}
}

func (c *chain) next(now *Snapshot) (Change, bool) {
	change, ok := changeBetween(c.last, now, c.filters)
	if ok {
		c.last = now
	}
	return change, ok
}

// isTheRuntimes reports whether err is of one of Go's own types: anybody's may
// have the method that makes it a runtime.Error.
func isTheRuntimes(err runtime.Error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "runtime"
}

func (s *Store) logPanic(recovered any, stack []byte) {
	s.panics.Add(1)
	s.options.Logger.Error(nil, "A change callback panicked", "panic", describePanic(recovered), "stack", string(stack))
}

// describePanic says what was recovered, without what anybody has put into it.
func describePanic(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok && isTheRuntimes(err) {
		return err.Error() // these name indexes and types, never contents
	}
	return fmt.Sprintf("%T", recovered)
}
