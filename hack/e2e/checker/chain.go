package checker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A chain is what one subscription was told.
type chain struct {
	client   string
	passes   func(key string) bool
	filtered bool // passes leaves something out
	steps    []step
	overlap  bool // two callbacks have run at once
	left     bool // the subscription ended before the last version
	late     bool // a callback has run after its end
}

// continues reports whether a Change may begin at old when the one before ended at last:
// at the same, or at a later version that the filters do not tell from it.
func (c chain) continues(last, old view) bool {
	later := c.filtered && last != view{} && old.revision > last.revision
	return old == last || later && old.contents.only(c.passes) == last.contents.only(c.passes)
}

// checkChain checks what is promised of the Changes of one subscription.
func (h *history) checkChain(report *Report, c chain) {
	who := "a subscription of " + c.client
	if c.overlap {
		report.violated("%s: two callbacks at once", who)
	}
	if c.late {
		report.violated("%s: a callback ran after its end", who)
	}
	var last view
	folded := make(map[string]string)
	for i, s := range c.steps {
		if !c.continues(last, s.old) {
			report.violated("%s: Change %d begins at %v, and the one before ended at %v: %s", who, i, s.old, last, difference(last.contents, s.old.contents))
		}
		if s.new.revision <= s.old.revision {
			report.violated("%s: Change %d leads from %v to %v", who, i, s.old, s.new)
		}
		if reset := s.old.uid != "" && s.new.uid != s.old.uid; s.reset != reset {
			report.violated("%s: Change %d from UID %q to %q has Reset %v", who, i, s.old.uid, s.new.uid, s.reset)
		}
		if len(s.deltas) == 0 && !s.reset {
			report.violated("%s: Change %d has no deltas", who, i)
		}
		if s.old != last {
			h.checkView(report, who+", in Old", s.old)
		}
		h.checkView(report, who+", in New", s.new)
		c.fold(report, who, i, folded)
		last = s.new
	}
	if c.left {
		return
	}
	final := h.versions[len(h.versions)-1]
	if want, got := final.contents.only(c.passes), last.contents.only(c.passes); want != got {
		report.violated("%s ended with %v, and did not come to %v: %s", who, last, final, difference(want, got))
	}
}

// fold applies the deltas of step i to what those before it have made.
func (c chain) fold(report *Report, who string, i int, folded map[string]string) {
	s := c.steps[i]
	var keys []string
	for _, d := range s.deltas {
		keys = append(keys, d.key)
		before, had := folded[d.key]
		switch {
		case !c.passes(d.key):
			report.violated("%s: Change %d tells of %s, which the filters leave out", who, i, d.key)
		case had == (d.Op == mapstore.Added), d.Old != before, d.Op == mapstore.Modified && d.Old == d.New:
			report.violated("%s: Change %d has %s %v from %q to %q, where %q was", who, i, d.key, d.Op, d.Old, d.New, before)
		}
		if d.Op == mapstore.Removed {
			delete(folded, d.key)
		} else {
			folded[d.key] = d.New
		}
	}
	if !slices.IsSorted(keys) || !slices.Equal(keys, s.keys) {
		report.violated("%s: Change %d has the keys %v and deltas of %v", who, i, s.keys, keys)
	}
	quoted := maps.Collect(func(yield func(string, string) bool) {
		for key, value := range folded {
			if !yield(key, strconv.Quote(value)) {
				return
			}
		}
	})
	if want := s.new.contents.only(c.passes); !maps.Equal(want.entries(), quoted) {
		report.violated("%s: the deltas up to Change %d do not make %v, which is %s", who, i, s.new, want.short())
	}
}
