package mapstore

import (
	"context"
	"slices"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// OnChange calls fn with the name of a map of the family and its [Change], for each map that
// changes, as [Store.OnChange] does for one: there is one call at a time, the first Change
// of a map begins at an empty one, and those that come during a call are merged, map by
// map. Maps are told of in the order in which they have changed.
//
// fn is also called when a map comes or goes, even if it has no key that a filter lets
// through: then Change.Old.Exists and Change.New.Exists differ.
//
// OnChange panics when fn or a filter is nil.
func (f *Family) OnChange(fn func(name string, change Change), filters ...Filter) *watch.Subscription {
	if fn == nil || slices.ContainsFunc(filters, func(f Filter) bool { return f == nil }) {
		panic("mapstore: OnChange with a nil function or filter")
	}
	t := &teller{family: f, fn: fn, filters: filters, chains: make(map[string]*dueChain), ready: make(chan struct{})}
	t.subscription = f.members.ticks.Subscribe(func(uint64, uint64) { t.tell() }, watch.OnPanic(f.callbacks.logPanic), watch.NamedAfter(fn))
	close(t.ready)
	return t.subscription
}

// Subscriptions returns the subscriptions that [Family.OnChange] has made, in no particular
// order.
func (f *Family) Subscriptions() []*watch.Subscription { return f.members.ticks.Subscriptions() }

// A teller tells one subscriber of the maps of a family.
type teller struct {
	family  *Family
	fn      func(string, Change)
	filters []Filter

	ready        chan struct{} // closed when subscription is set
	subscription *watch.Subscription

	// Used by one call of tell at a time.
	seen   uint64               // the roster's sequence number up to which due is complete
	due    []string             // maps to tell of
	chains map[string]*dueChain // of the maps that were told of, or are due
}

// A dueChain is the chain of one map.
type dueChain struct {
	chain
	due bool
}

// tell tells of all maps that have changed.
func (t *teller) tell() {
	<-t.ready
	ended := false
	defer func() {
		if !ended { // fn has panicked, or ended its goroutine; the others' turn is still to come
			t.family.members.ticks.Store(t.family.members.roster.Sequence())
		}
	}()
	for t.collect(); len(t.due) > 0 && !t.subscription.Stopped(); t.collect() {
		name := t.due[0]
		t.due = t.due[1:]
		t.tellOf(name, t.chains[name])
	}
	t.due, ended = nil, true
}

// collect adds the maps that have changed to those that are due.
func (t *teller) collect() {
	changed, struck, now := t.family.members.roster.Since(t.seen)
	if struck {
		for name := range t.chains {
			if t.family.members.roster.Get(name) == nil {
				changed = append(changed, name)
			}
		}
	}
	for _, name := range changed {
		c := t.chains[name]
		if c == nil {
			c = &dueChain{chain: chain{last: nothing, filters: t.filters}}
			t.chains[name] = c
		}
		if !c.due {
			c.due = true
			t.due = append(t.due, name)
		}
	}
	t.seen = now
}

// tellOf tells of one map, if there is anything to tell.
func (t *teller) tellOf(name string, c *dueChain) {
	c.due = false // before the call: after a panic, the version must not come again
	now := t.family.members.roster.Get(name)
	if now == nil { // nobody remembers it any more, and so does the teller
		delete(t.chains, name)
		now = absentSnapshot(c.last.uid, c.last.revision)
		now.sequence, now.resets = c.last.sequence+1, c.last.resets
	}
	before := c.last
	change, ok := c.next(now)
	if !ok && before.Exists() != now.Exists() {
		c.last, c.told, ok = now, true, true
	}
	if !ok {
		return
	}
	if s := t.family.members.storeOf(name); s != nil && !s.views.settle(context.Background(), now) && t.subscription.Stopped() {
		return
	}
	t.fn(name, change)
}
