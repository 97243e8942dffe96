package mapstore

import (
	"iter"
	"slices"
)

// A Change is what one subscriber missed: it leads from the last version that the
// subscriber was told of to the newest one.
type Change struct {
	// Old is the previous Change's New; in the first Change, an empty map. If there
	// are filters, Old may be a later version than that, but one in which all that they
	// let through is the same.
	Old *Snapshot
	// New is the newest version.
	New *Snapshot
	// Reset says that New does not continue Old's history: between the two the
	// ConfigMap was recreated, or the cluster was restored from a backup. The
	// deltas are correct nevertheless.
	Reset bool

	keys []string // those that changed and pass the filters, sorted
}

// Keys returns the keys that changed, sorted. The slice is the caller's.
func (c Change) Keys() []string { return slices.Clone(c.keys) }

// Managers returns the field managers that are known to have written to the map between Old
// and New, sorted: what each of them calls itself, such as "kubectl-edit", or another
// store's [Options].FieldManager. It is what [managed fields] tell, which have one time for
// each manager, in whole seconds. So it does not say who wrote which key, and leaves out who has
// only removed keys, and most who wrote twice within a second. It is empty for the first
// Change of a subscription, and for a deletion.
//
// [managed fields]: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
func (c Change) Managers() []string {
	if c.Old.sequence == 0 || c.Old.isRestored() {
		return nil
	}
	var names []string
	for _, stamp := range c.New.stamps {
		if !slices.Contains(c.Old.stamps, stamp) {
			names = append(names, stamp.manager)
		}
	}
	if len(names) == 0 {
		names = c.lastManager()
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lastManager returns who has the newest stamp, if a key that is there now was written and
// the stamp is nobody else's: within a second, the stamps of Old and New may be the same.
func (c Change) lastManager() []string {
	isWritten := func(key string) bool { _, ok := c.New.Get(key); return ok }
	if !slices.ContainsFunc(c.keys, isWritten) {
		return nil
	}
	var newest int64
	var names []string
	for _, stamp := range c.New.stamps {
		switch {
		case stamp.time > newest:
			newest, names = stamp.time, []string{stamp.manager}
		case stamp.time == newest && !slices.Contains(names, stamp.manager): // it may have applied, too
			names = append(names, stamp.manager)
		}
	}
	if len(names) > 1 {
		return nil
	}
	return names
}

// Deltas iterates over what changed, in key order.
func (c Change) Deltas() iter.Seq2[string, Delta] {
	return func(yield func(string, Delta) bool) {
		for _, key := range c.keys {
			old, had := c.Old.Get(key)
			new, has := c.New.Get(key)
			delta := Delta{Op: Modified, Old: old, New: new}
			switch {
			case !had:
				delta.Op = Added
			case !has:
				delta.Op = Removed
			}
			if !yield(key, delta) {
				return
			}
		}
	}
}

// A Delta is what happened to one key.
type Delta struct {
	Op  Op
	Old string // empty when the key was added
	New string // empty when the key was removed
}

// An Op is the kind of a [Delta].
type Op int

// The kinds of a [Delta].
const (
	Added Op = iota + 1
	Modified
	Removed
)

// String returns "added", "modified" or "removed".
func (op Op) String() string {
	switch op {
	case Added:
		return "added"
	case Modified:
		return "modified"
	case Removed:
		return "removed"
	default:
		return "unknown"
	}
}

// changeBetween returns the change that leads from old to new, as filters let it
// through, and whether there is anything to tell.
func changeBetween(old, new *Snapshot, filters []Filter) (Change, bool) {
	c := Change{
		Old:   old,
		New:   new,
		Reset: old.sequence != 0 && old.resets != new.resets,
		keys:  passing(new.changedSince(old), filters),
	}
	return c, c.Reset || len(c.keys) > 0
}
