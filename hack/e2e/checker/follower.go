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
	left    bool // nobody expects it to show the last version any more
	stopped bool
	late    bool // a callback has run after the end
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
	f.late = f.late || f.stopped
	f.mu.Unlock()

	s := step{
		old:   f.client.run.view(c.Old),
		new:   f.client.run.view(c.New),
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

// stop returns once no callback runs, nor will.
func (f *follower) stop() {
	f.subscription.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

// leave stops before the end of the run.
func (f *follower) leave() {
	f.mu.Lock()
	f.left = true
	f.mu.Unlock()
	f.stop()
}

// passes reports whether the subscription wants to hear of a key.
func (f *follower) passes(key string) bool {
	return len(f.filters) == 0 || slices.ContainsFunc(f.filters, func(filter mapstore.Filter) bool { return filter(key) })
}

// has reports whether the last Change so far shows what final holds, if that can
// be expected.
func (f *follower) has(final contents) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left {
		return true
	}
	var last contents
	if len(f.steps) > 0 {
		last = f.steps[len(f.steps)-1].new.contents
	}
	return last.only(f.passes) == final.only(f.passes)
}

func (f *follower) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.steps)
}

// chain returns what has been recorded.
func (f *follower) chain() chain {
	f.mu.Lock()
	defer f.mu.Unlock()
	return chain{client: f.client.name, passes: f.passes, steps: slices.Clone(f.steps), overlap: f.overlap, left: f.left, late: f.late}
}
