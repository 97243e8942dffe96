package checker

import (
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A follower records the changes of one subscription.
type follower struct {
	run          *Run
	subscription *watch.Subscription

	mu      sync.Mutex // protects all below
	chain   chain
	inside  bool
	stopped bool
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
	f.chain.overlap = f.chain.overlap || f.inside
	f.inside = true
	f.chain.late = f.chain.late || f.stopped
	f.mu.Unlock()

	s := step{
		old:   f.run.view(c.Old),
		new:   f.run.view(c.New),
		reset: c.Reset,
		keys:  c.Keys(),
	}
	for key, d := range c.Deltas() {
		s.deltas = append(s.deltas, delta{key, d})
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.chain.steps = append(f.chain.steps, s)
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
	f.chain.left = true
	f.mu.Unlock()
	f.stop()
}

// has reports whether the last Change so far shows what final holds, if that can
// be expected.
func (f *follower) has(final contents) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.chain.left {
		return true
	}
	var last contents
	if steps := f.chain.steps; len(steps) > 0 {
		last = steps[len(steps)-1].new.contents
	}
	return last.only(f.chain.passes) == final.only(f.chain.passes)
}

func (f *follower) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.chain.steps)
}
