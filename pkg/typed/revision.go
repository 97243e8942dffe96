package typed

import (
	"maps"
	"slices"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A revision is a version of the map in which some keys are as they were.
type revision struct {
	mapstore.Reader
	replaced []string // sorted; each has the last good text, or none if there has been none
}

// with returns the revision with more keys as they are in last; false if there are no more.
func (r *revision) with(keys []string, last mapstore.Reader) (*revision, bool) {
	keys = slices.DeleteFunc(keys, func(key string) bool { return isReplaced(r, key) })
	if len(keys) == 0 {
		return nil, false
	}
	values := maps.Collect(r.All())
	for _, key := range keys {
		if value, ok := last.Get(key); ok {
			values[key] = value
		} else {
			delete(values, key)
		}
	}
	replaced := append(slices.Clone(r.replaced), keys...)
	slices.Sort(replaced)
	return &revision{mapstore.NewSnapshot(values), replaced}, true
}

// isReplaced reports whether a key's last good value has been asked for.
func isReplaced(r mapstore.Reader, key string) bool {
	revised, ok := r.(*revision)
	if !ok {
		return false
	}
	_, found := slices.BinarySearch(revised.replaced, key)
	return found
}

// isDerived reports whether Derive's function runs, which can do with errKept.
func isDerived(r mapstore.Reader) bool {
	_, ok := r.(*revision)
	return ok
}
