package checker

import (
	"math"
	"slices"
)

// A landing is that a run of a transaction took effect in a version.
type landing struct{ transaction, run, version int }

// landings are what took effect.
type landings struct {
	byTransaction map[int][]landing
	byVersion     map[int][]landing // by index; none for a version that no recorded store made
	base          map[int]int       // what such a version was computed from: the one before it, if all is well
}

// land reads off the marks what took effect, and where.
func (h *history) land() landings {
	all := landings{make(map[int][]landing), make(map[int][]landing), make(map[int]int)}
	for i := 1; i < len(h.versions); i++ {
		if h.isOutsiders(i) {
			continue
		}
		all.base[i] = h.baseOf(i)
		for _, l := range h.newIn(i, all.base[i]) {
			all.byTransaction[l.transaction] = append(all.byTransaction[l.transaction], l)
			all.byVersion[i] = append(all.byVersion[i], l)
		}
	}
	return all
}

// isOutsiders reports whether version i is a deletion or an outsider's edit.
func (h *history) isOutsiders(i int) bool {
	v := h.versions[i]
	return !v.exists || v.outsider != "" && v.outsider != h.versions[i-1].outsider
}

// baseOf returns the newest version that a run found which left its mark in
// version i.
func (h *history) baseOf(i int) int {
	found := h.newIn(i, i-1)
	for base := i - 1; base >= 0 && len(found) > 0; base-- {
		if slices.ContainsFunc(found, func(l landing) bool { return h.run(l).before == h.versions[base].contents }) {
			return base
		}
	}
	return i - 1
}

// newIn returns the runs whose marks are in version i and not in its base. A
// mark may be gone already, by a transaction of the same client or a Clear that
// shared the request: then the transaction which did that has seen it.
func (h *history) newIn(i, base int) []landing {
	before := h.versions[base].contents.marks()
	var found []landing
	note := func(marks map[string]mark) {
		for key, m := range marks {
			if m == before[key] || m.nonce != h.nonce || m.transaction >= len(h.transactions) || m.run >= len(h.transactions[m.transaction].runs) {
				continue
			}
			if l := (landing{m.transaction, m.run, i}); !slices.Contains(found, l) {
				found = append(found, l)
			}
		}
	}
	note(h.versions[i].contents.marks())
	for next := 0; next < len(found); next++ {
		note(h.run(found[next]).before.marks())
	}
	return found
}

func (h *history) run(l landing) transition { return h.transactions[l.transaction].runs[l.run] }

// count fills in what became of the transactions.
func (h *history) count(report *Report, all landings) {
	lost := h.checkBases(report, all)
	for _, t := range h.transactions {
		if t.readOnly {
			if t.outcome == acknowledged {
				report.Looks++
			}
			continue
		}
		if t.aborted {
			report.Aborted++
		}
		landed := all.byTransaction[t.id]
		if len(landed) > 0 && h.versions[landed[0].version].observed < t.call {
			report.violated("%v took effect in %v, before it was called", t, h.versions[landed[0].version])
		}
		switch t.outcome {
		case acknowledged:
			report.Acknowledged++
			if lost[t.id] {
				report.Lost++
			}
			if len(landed) == 0 {
				report.Lost++
				report.violated("%v never took effect", t)
			} else if v := h.versions[landed[0].version]; v.revision > t.view.revision {
				report.violated("%v returned %v and took effect only in %v", t, t.view, v)
			}
		case unknown:
			report.Unknown++
			if len(landed) > 0 {
				report.Landed++
			}
		case failed:
			report.Failed++
			if len(landed) > 0 {
				report.Doubled++
				report.violated("%v took effect in %v; it had returned: %v", t, h.versions[landed[0].version], t.err)
			}
		}
		if len(landed) > 1 {
			report.Doubled++
			report.violated("%v took effect in %v and again in %v", t, h.versions[landed[0].version], h.versions[landed[1].version])
		}
	}
}

// checkBases checks that nobody has written over a version that they did not
// know, and returns the transactions that were lost so.
func (h *history) checkBases(report *Report, all landings) map[int]bool {
	lost := make(map[int]bool)
	for i := 1; i < len(h.versions); i++ {
		base, ok := all.base[i]
		if !ok || base == i-1 {
			continue
		}
		var over []int
		for between := base + 1; between < i; between++ {
			for _, l := range all.byVersion[between] {
				over = append(over, l.transaction)
				lost[l.transaction] = true
			}
		}
		report.violated("%v was computed from %v and written over %v: lost are transactions %v", h.versions[i], h.versions[base], h.versions[i-1], over)
	}
	return lost
}

// checkVersions checks that each version that a recorded store made is its
// base and the transactions that landed in it, one after the other.
func (h *history) checkVersions(report *Report, all landings) {
	for i := 1; i < len(h.versions); i++ {
		landed := all.byVersion[i]
		if len(landed) == 0 {
			if h.versions[i].contents != h.versions[i-1].contents {
				report.Foreign++
			}
			continue
		}
		now := h.versions[all.base[i]].contents
		waiting := slices.Clone(landed)
		for len(waiting) > 0 {
			next := slices.IndexFunc(waiting, func(l landing) bool { return h.run(l).before == now })
			if next < 0 {
				t := waiting[0]
				report.violated("%v landed in %v on top of something that never was: %s",
					h.transactions[t.transaction], h.versions[i], difference(now, h.run(t).before))
				break
			}
			now = h.run(waiting[next]).after
			waiting = slices.Delete(waiting, next, next+1)
		}
		if len(waiting) == 0 && now != h.versions[i].contents {
			report.violated("%v is not what its transactions made of its base: %s", h.versions[i], difference(now, h.versions[i].contents))
		}
	}
}

// lasting returns each state that the map was in, with the last revision at
// which it may have been: those of the versions, and those between transactions
// that share a version.
func (h *history) lasting(all landings) map[contents]int64 {
	last := make(map[contents]int64)
	note := func(c contents, revision int64) { last[c] = max(last[c], revision) }
	for i, v := range h.versions {
		for _, l := range all.byVersion[i] {
			note(h.run(l).before, v.revision-1)
			note(h.run(l).after, v.revision-1)
		}
		if i > 0 {
			note(h.versions[i-1].contents, v.revision-1)
		}
	}
	note(h.versions[len(h.versions)-1].contents, math.MaxInt64)
	return last
}

// callsBehind returns for each version a time at which it had not been
// committed yet: the call of a write that is part of it or of one before it.
func (h *history) callsBehind(all landings) []int64 {
	edits := make(map[string]int64)
	for _, e := range h.edits {
		edits[e.name] = e.call
	}
	calls := make([]int64, len(h.versions))
	for i := 1; i < len(h.versions); i++ {
		calls[i] = max(calls[i-1], edits[h.versions[i].outsider])
		for _, l := range all.byVersion[i] {
			calls[i] = max(calls[i], h.transactions[l.transaction].call)
		}
	}
	return calls
}
