package mapstore

import (
	"context"
	"iter"
	"slices"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// OnChange calls fn with each [Change] of a key that one of the filters lets through, or
// of any key if there are no filters. It does so until the subscription is stopped or
// the store closed. It panics when fn or a filter is nil.
//
// The first Change has an empty Old, so folding the deltas from an empty map always
// gives the contents of the store. There is one call at a time, in a goroutine that
// exists only while there is something to tell. Versions that arrive during a call are
// merged into the next Change, so a slow fn delays only itself. A version that changes
// nothing that the filters let through causes no call, unless it is a Reset. When writes
// stop, the last Change ends at the current state: of what the filters let through, its
// New has what the newest version has.
//
// When fn is called, every [View], and so every Value and Derived of package typed, that
// was attached before is at least as new as the Change, within the limit that
// [Store.Attach] states.
//
// fn may read, write, subscribe, stop and close. If it panics, the panic is logged with
// its stack but without its text, which might quote a value, and the subscription goes
// on.
func (s *Store) OnChange(fn func(Change), filters ...Filter) *watch.Subscription {
	if fn == nil || slices.ContainsFunc(filters, func(f Filter) bool { return f == nil }) {
		panic("mapstore: OnChange with a nil function or filter")
	}
	chain := newChain(filters)
	return s.current.Subscribe(func(_, now *Snapshot) {
		if change, ok := chain.next(now); ok && s.views.settle(context.Background(), now) {
			fn(change)
		}
	}, watch.OnPanic(s.views.callbacks.logPanic), watch.NamedAfter(fn))
}

// Changes iterates in the caller's goroutine over the same chain of changes that
// OnChange delivers. It ends when ctx is done or the store is closed.
func (s *Store) Changes(ctx context.Context, filters ...Filter) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		chain := newChain(filters)
		for _, now := range s.current.Changes(ctx) {
			if change, ok := chain.next(now); ok && (!s.views.settle(ctx, now) || ctx.Err() != nil || !yield(change)) {
				return
			}
		}
	}
}

// Attach begins a View. When Attach returns, See has seen a version that was current
// during the call. If the store is closed, See is called with the last known version and
// not again.
//
// From then on, the View is in order with the store. When a write, [Store.Sync],
// [Store.WaitFor], [Store.WaitUntil] or [Store.WaitForSync] returns, and when a function
// given to [Store.OnChange] or the body of [Store.Changes] begins, See has seen a version
// at least as new as theirs. This ends where a See takes longer than a second: nobody
// waits for it any longer, until it has returned. It also ends with a caller's ctx.
//
// Attach panics when See or Var is nil, and when the View has been attached before.
func (s *Store) Attach(v *View) {
	if v.See == nil || v.Var == nil || v.views != nil {
		panic("mapstore: Attach of a View without See or Var, or for the second time")
	}
	v.views = &s.views
	now := s.Snapshot()
	v.See(now)
	if !s.views.add(v, now.sequence) {
		v.Var.Close()
	}
}

// A chain remembers where the next Change of one subscriber begins: at the version that
// the last one led to. With filters it moves on, to the newest version in which the
// subscriber would see the same. Otherwise, whoever never hears of anything would keep
// an old map in memory, and each such map would be compared with the newest version.
type chain struct {
	last    *Snapshot
	told    bool // there was a Change
	filters []Filter
}

func newChain(filters []Filter) *chain {
	return &chain{last: nothing, filters: filters}
}

func (c *chain) next(now *Snapshot) (Change, bool) {
	change, ok := changeBetween(c.last, now, c.filters)
	if !c.told { // the first Change begins at an empty map, whatever the filters have left out
		change.Old, change.Reset = &Snapshot{}, false
		ok = len(change.keys) > 0
		c.told = ok
	}
	if ok || len(c.filters) > 0 {
		c.last = now
	}
	return change, ok
}
