package mapstore

import (
	"slices"
	"sync"
	"sync/atomic"
)

// rejections is what is wrong with the values that are bound to a store, for
// [Status] and the statistics.
type rejections struct {
	total atomic.Uint64 // how often a new text was rejected

	mu  sync.Mutex       // protects now
	now map[any][]string // what each Value or Derived rejects right now
}

// set notes what holder rejects from now on: nothing, if names is empty. It
// reports whether it was the other way round before.
func (r *rejections) set(holder any, names []string) (turned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, before := r.now[holder]
	if len(names) == 0 {
		delete(r.now, holder)
		return before
	}
	if r.now == nil {
		r.now = make(map[any][]string)
	}
	r.now[holder] = names
	return !before
}

// names returns what is rejected, sorted.
func (r *rejections) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, names := range r.now {
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
