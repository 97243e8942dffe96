package mapstore

import (
	"container/list"
	"slices"
	"sync"
)

// A roster is the newest version of each map of a family, in the order in which they have
// changed. It knows nothing of where they come from.
type roster struct {
	mu       sync.Mutex // protects all below
	lines    map[string]*list.Element
	order    *list.List // of *line, the one that changed last first
	sequence uint64     // counts changes
	absent   int        // lines of maps that do not exist
	struck   uint64     // the sequence number of the last time when lines were struck off
}

// A line is one map.
type line struct {
	name    string
	now     *Snapshot
	changed uint64
}

func newRoster() *roster {
	return &roster{lines: make(map[string]*list.Element), order: list.New()}
}

// note notes a map's newest version, and returns how many changes there have been.
func (r *roster) note(name string, now *Snapshot) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.lines[name]
	if !ok {
		element = r.order.PushFront(&line{name: name, now: nothing})
		r.lines[name] = element
		r.absent++
	}
	entry := element.Value.(*line)
	if entry.now.Exists() != now.Exists() {
		if now.Exists() {
			r.absent--
		} else {
			r.absent++
		}
	}
	r.sequence++
	entry.now, entry.changed = now, r.sequence
	r.order.MoveToFront(element)
	return r.sequence
}

// get returns the newest version of a map; nil if it is not there.
func (r *roster) get(name string) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element, ok := r.lines[name]; ok {
		return element.Value.(*line).now
	}
	return nil
}

// now returns how many changes there have been.
func (r *roster) now() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sequence
}

// since returns the maps that have changed since a sequence number, the one that changed
// first first; whether lines were struck off since then; and the sequence number to go on
// from.
func (r *roster) since(seen uint64) (names []string, struck bool, now uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for element := r.order.Front(); element != nil; element = element.Next() {
		entry := element.Value.(*line)
		if entry.changed <= seen {
			break
		}
		names = append(names, entry.name)
	}
	slices.Reverse(names)
	return names, r.struck > seen, r.sequence
}

// names returns the maps that exist, sorted.
func (r *roster) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.lines)-r.absent)
	for name, element := range r.lines {
		if element.Value.(*line).now.Exists() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// count returns how many maps exist, and how many lines are of maps that do not.
func (r *roster) count() (exist, absent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines) - r.absent, r.absent
}

// strike strikes maps off that do not exist and for which may returns true.
func (r *roster) strike(may func(name string) bool) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, element := range r.lines {
		if !element.Value.(*line).now.Exists() && may(name) {
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
