// Package roster keeps the newest version of each of many things, in the order in which they
// have changed. It knows nothing of what they are or where they come from.
package roster

import (
	"container/list"
	"slices"
	"sync"
)

// A Version is what is known of a thing at a time.
type Version interface {
	// Exists reports whether the thing exists.
	Exists() bool
}

// A Roster is the newest version of each thing that has a name.
type Roster[V Version] struct {
	mu       sync.Mutex // protects all below
	lines    map[string]*list.Element
	order    *list.List // of *line[V], the one that changed last first
	sequence uint64     // counts changes
	absent   int        // lines of things that do not exist
	struck   uint64     // the sequence number of the last time when lines were struck off
}

// A line is one thing.
type line[V Version] struct {
	name    string
	now     V
	changed uint64
}

// New returns an empty roster.
func New[V Version]() *Roster[V] {
	return &Roster[V]{lines: make(map[string]*list.Element), order: list.New()}
}

// Note notes a thing's newest version, and returns how many changes there have been.
func (r *Roster[V]) Note(name string, now V) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.lines[name]
	if !ok {
		element = r.order.PushFront(&line[V]{name: name})
		r.lines[name] = element
	} else if !element.Value.(*line[V]).now.Exists() {
		r.absent--
	}
	if !now.Exists() {
		r.absent++
	}
	entry := element.Value.(*line[V])
	r.sequence++
	entry.now, entry.changed = now, r.sequence
	r.order.MoveToFront(element)
	return r.sequence
}

// Get returns the newest version of a thing; the zero V if it is not on the roster.
func (r *Roster[V]) Get(name string) (now V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element, ok := r.lines[name]; ok {
		now = element.Value.(*line[V]).now
	}
	return now
}

// Sequence returns how many changes there have been.
func (r *Roster[V]) Sequence() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sequence
}

// Since returns the things that have changed since a sequence number, the one that changed
// first first; whether lines were struck off since then; and the sequence number to go on
// from.
func (r *Roster[V]) Since(seen uint64) (names []string, struck bool, now uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for element := r.order.Front(); element != nil; element = element.Next() {
		entry := element.Value.(*line[V])
		if entry.changed <= seen {
			break
		}
		names = append(names, entry.name)
	}
	slices.Reverse(names)
	return names, r.struck > seen, r.sequence
}

// Names returns the things that exist, sorted.
func (r *Roster[V]) Names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.lines)-r.absent)
	for name, element := range r.lines {
		if element.Value.(*line[V]).now.Exists() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Count returns how many things exist, and how many lines are of things that do not.
func (r *Roster[V]) Count() (exist, absent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines) - r.absent, r.absent
}

// Strike strikes things off that do not exist and for which may returns true.
func (r *Roster[V]) Strike(may func(name string) bool) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, element := range r.lines {
		if !element.Value.(*line[V]).now.Exists() && may(name) {
			r.order.Remove(element)
			delete(r.lines, name)
			r.absent--
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		r.sequence++
		r.struck = r.sequence
	}
	return names
}
