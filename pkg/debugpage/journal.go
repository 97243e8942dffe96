package debugpage

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A journal remembers the last changes, in a bounded space. It copies what it needs,
// so that it keeps no version of the map in memory.
type journal struct {
	since  time.Time
	limit  int
	values bool // whether to keep the beginnings of values

	// initial is the sequence number of the version that was there when following
	// began; before the first sync, of the one that will come first.
	initial uint64

	mu      sync.Mutex // protects entries
	entries []entry    // oldest first; none changes once it is here
}

// keysInEntry is how many keys of a change are named. A change may have thousands.
const keysInEntry = 8

// An entry is one Change of the page's subscription.
type entry struct {
	Time     time.Time `json:"time"`
	Revision string    `json:"revision"`
	// First says that this was there when the page began to follow, and did not
	// happen at Time.
	First    bool `json:"first,omitempty"`
	Reset    bool `json:"reset,omitempty"`
	Absent   bool `json:"absent,omitempty"` // the map does not exist any more
	Added    int  `json:"added"`
	Modified int  `json:"modified"`
	Removed  int  `json:"removed"`
	Growth   int  `json:"growthBytes"`
	// Managers are the field managers that are known to have written.
	Managers []string `json:"managers,omitempty"`
	Deltas   []delta  `json:"keys"` // the first few of them
}

// A delta is what happened to a key. Sizes are in bytes.
type delta struct {
	Key     string `json:"key"`
	Op      string `json:"op"`
	OldSize int    `json:"oldBytes"`
	NewSize int    `json:"newBytes"`
	Old     string `json:"old,omitempty"` // the values' beginnings, quoted; empty when they are hidden
	New     string `json:"new,omitempty"`
}

func newJournal(store *mapstore.Store, opts Options) *journal {
	return &journal{
		since:   time.Now(),
		limit:   opts.Changes,
		values:  opts.showValues(),
		initial: max(1, store.Snapshot().Sequence()),
	}
}

func (j *journal) record(change mapstore.Change) {
	e := entry{
		Time:     time.Now(),
		Revision: change.New.Revision(),
		First:    change.New.Sequence() <= j.initial,
		Reset:    change.Reset,
		Absent:   !change.New.Exists(),
		Managers: change.Managers(),
	}
	for key, d := range change.Deltas() {
		switch d.Op {
		case mapstore.Added:
			e.Added++
		case mapstore.Modified:
			e.Modified++
		case mapstore.Removed:
			e.Removed++
		}
		e.Growth += len(d.New) - len(d.Old)
		if len(e.Deltas) < keysInEntry {
			e.Deltas = append(e.Deltas, j.delta(key, d))
		}
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == j.limit {
		j.entries = slices.Delete(j.entries, 0, 1)
	}
	j.entries = append(j.entries, e)
}

func (j *journal) delta(key string, d mapstore.Delta) delta {
	result := delta{Key: strings.Clone(key), Op: d.Op.String(), OldSize: len(d.Old), NewSize: len(d.New)}
	if j.values {
		if d.Op != mapstore.Added {
			result.Old = preview(d.Old)
		}
		if d.Op != mapstore.Removed {
			result.New = preview(d.New)
		}
	}
	return result
}

// newest returns the entries, the newest first.
func (j *journal) newest() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := slices.Clone(j.entries)
	slices.Reverse(entries)
	return entries
}

// Keys returns how many keys the change touched.
func (e entry) Keys() int { return e.Added + e.Modified + e.Removed }

// More returns how many keys it touched that are not named.
func (e entry) More() int { return e.Keys() - len(e.Deltas) }
