package checker

import (
	"slices"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A follower records the changes of one subscription.
type follower struct {
	client       *Client
	filters      []mapstore.Filter
	subscription *watch.Subscription

	mu      sync.Mutex // protects all below
	steps   []step
	inside  bool
	overlap bool // two callbacks have run at once
}

// A step is one Change.
type step struct {
	old, new view
	reset    bool
	keys     []string
	deltas   []delta
}

type delta struct {
	key string
	mapstore.Delta
}

func (f *follower) take(c mapstore.Change) {
	f.mu.Lock()
	f.overlap = f.overlap || f.inside
	f.inside = true
	f.mu.Unlock()

	s := step{
		old:   f.client.run.view(c.Old, "Change.Old of "+f.client.name),
		new:   f.client.run.view(c.New, "Change.New of "+f.client.name),
		reset: c.Reset,
		keys:  c.Keys(),
	}
	for key, d := range c.Deltas() {
		s.deltas = append(s.deltas, delta{key, d})
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, s)
	f.inside = false
}

// passes reports whether the subscription wants to hear of a key.
func (f *follower) passes(key string) bool {
	return len(f.filters) == 0 || slices.ContainsFunc(f.filters, func(filter mapstore.Filter) bool { return filter(key) })
}

// has reports whether the last Change so far shows what final holds.
func (f *follower) has(final contents) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	var last contents
	if len(f.steps) > 0 {
		last = f.steps[len(f.steps)-1].new.contents
	}
	return last.only(f.passes) == final.only(f.passes)
}

// chain returns what has been recorded.
func (f *follower) chain(left bool) chain {
	f.mu.Lock()
	defer f.mu.Unlock()
	return chain{client: f.client.name, passes: f.passes, steps: slices.Clone(f.steps), overlap: f.overlap, left: left}
}
