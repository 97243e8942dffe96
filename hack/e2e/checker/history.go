package checker

import (
	"fmt"
	"slices"
	"sort"

	"k8s.io/apimachinery/pkg/types"
)

// A history is all that the judgement rests on.
type history struct {
	nonce    string
	versions []version // what the witness saw, oldest first
	record
	chains []chain // one for each subscription
	finals []read  // what each store showed when nobody wrote any more
}

func (h *history) judge() Report {
	report := &Report{Reads: len(h.reads), Syncs: len(h.syncs), Versions: len(h.versions)}
	landings := h.land()
	h.count(report, landings)
	h.checkVersions(report, landings)
	h.checkTransactions(report)
	h.checkReads(report, landings)
	h.checkSyncs(report)
	for _, c := range h.chains {
		report.Changes += len(c.steps)
		h.checkChain(report, c)
	}
	h.checkFinals(report)
	report.Linearizability = h.linearize(landings)
	return *report
}

// checkView compares a view with what the witness saw at its revision.
func (h *history) checkView(report *Report, who string, v view) {
	if v.revision < h.versions[0].revision { // from before the witness began
		if !v.exists && v.contents != "" {
			report.violated("%s shows a map that is absent and holds %s", who, v.contents.short())
		}
		return
	}
	at := h.at(v.revision)
	switch {
	case v.exists && at.revision != v.revision:
		report.violated("%s shows %v, which has never been: there is %v before it", who, v, at)
	case v.exists != at.exists:
		report.violated("%s shows %v, where the witness saw %v", who, v, at)
	case v.contents != at.contents:
		report.violated("%s shows at %d: %s", who, v.revision, difference(at.contents, v.contents))
	case v.exists && v.uid != at.uid:
		report.violated("%s shows %v with the UID %q, want %q", who, v, v.uid, at.uid)
	case !v.exists && v.uid != "" && !h.deletedBefore(v.uid, v.revision):
		report.violated("%s shows %v with the UID %q, which no deleted object had", who, v, v.uid)
	}
}

// at returns the version that was current at a revision, which is not before
// the first one's.
func (h *history) at(revision int64) version {
	i := sort.Search(len(h.versions), func(i int) bool { return h.versions[i].revision > revision })
	return h.versions[i-1]
}

// deletedBefore reports whether an object with this UID has been deleted up to
// a revision. What was deleted before the witness began is not known.
func (h *history) deletedBefore(uid types.UID, revision int64) bool {
	i := slices.IndexFunc(h.versions, func(v version) bool { return v.uid == uid })
	return i < 0 || h.versions[i].revision < revision
}

// checkTransactions checks what Update has returned.
func (h *history) checkTransactions(report *Report) {
	for _, t := range h.transactions {
		if t.outcome == acknowledged {
			h.checkView(report, fmt.Sprintf("what Update returned of transaction %d of %s", t.id, t.client), t.view)
		}
	}
}

// checkReads checks that each local read is a version as it was committed, and
// that no store goes back: a read must be at least as new as whatever its store
// had returned before the read began, by reads and by acknowledged transactions.
// The same goes for what a transaction found that changed nothing, because it was
// not to or because it thought better of it.
func (h *history) checkReads(report *Report, all landings) {
	own := make(map[string]*frontier)
	for _, r := range slices.Concat(h.reads, h.syncs) {
		of(own, r.client).add(r.ret, r.view.revision, "a read")
	}
	for _, t := range h.transactions {
		if t.outcome == acknowledged {
			of(own, t.client).add(t.ret, t.view.revision, "an acknowledged write")
		}
	}
	for _, r := range slices.Concat(h.reads, h.syncs) {
		who := "a read of " + r.client
		h.checkView(report, who, r.view)
		if floor := own[r.client].before(r.call); r.view.revision < floor.revision {
			report.violated("%s shows %v after %s had returned %d", who, r.view, floor.what, floor.revision)
		}
	}
	lasting := h.lasting(all)
	for _, t := range h.transactions {
		saw := t.saw
		switch {
		case t.readOnly && t.outcome == acknowledged:
			saw = t.runs[len(t.runs)-1].before
		case !t.aborted:
			continue
		}
		last, ok := lasting[saw]
		switch floor := of(own, t.client).before(t.call); {
		case !ok:
			report.violated("%v saw what never was: %s", t, saw.short())
		case last < floor.revision:
			report.violated("%v saw what was there up to %d, after %s had returned %d", t, last, floor.what, floor.revision)
		}
	}
}

// checkSyncs checks that a Sync is not older than what was complete before it
// was called, anywhere.
func (h *history) checkSyncs(report *Report) {
	complete := &frontier{}
	for _, t := range h.transactions {
		if t.outcome == acknowledged {
			complete.add(t.ret, t.view.revision, "an acknowledged write of "+t.client)
		}
	}
	for _, e := range h.edits {
		complete.add(e.ret, e.revision, "an outsider's write")
	}
	for _, v := range h.versions {
		complete.add(v.observed, v.revision, "the witness")
	}
	for _, r := range h.syncs {
		if floor := complete.before(r.call); r.view.revision < floor.revision {
			report.violated("Sync of %s shows %v after %s had shown %d", r.client, r.view, floor.what, floor.revision)
		}
	}
}

// checkFinals checks that no store has missed anything for good.
func (h *history) checkFinals(report *Report) {
	last := h.versions[len(h.versions)-1]
	for _, final := range h.finals {
		if !final.view.shows(last) {
			report.violated("%s ended with %v, and did not come to %v: %s", final.client, final.view, last, difference(last.contents, final.view.contents))
		}
	}
}
