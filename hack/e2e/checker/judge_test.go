package checker

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// holding returns contents: keys and values in turn.
func holding(pairs ...string) contents {
	entries := make(map[string]string)
	for pair := range slices.Chunk(pairs, 2) {
		entries[pair[0]] = pair[1]
	}
	return new(pool).takeMap(entries)
}

// What the map goes through in the clean history: a commit of one transaction,
// one of two, a deletion, and a recreation by a transaction whose answer is lost.
var (
	empty  = holding()
	first  = holding("x", "1", "checker.0.0", "test.0.0")
	middle = holding("x", "2", "checker.0.0", "test.0.0", "checker.1.0", "test.1.0")
	second = holding("x", "3", "checker.0.0", "test.0.0", "checker.1.0", "test.1.0", "checker.1.1", "test.2.0")
	third  = holding("y", "1", "checker.0.0", "test.3.1")
	never  = holding("x", "9", "checker.0.0", "test.0.0")
)

// cleanHistory returns a history that keeps every promise.
func cleanHistory() *history {
	versions := []version{
		{view: view{revision: 100}},
		{view: view{110, true, "one", first}, observed: 18},
		{view: view{120, true, "one", second}, observed: 38},
		{view: view{revision: 130}, observed: 52},
		{view: view{140, true, "two", third}, observed: 75},
	}
	absent, one, two, deleted, four := versions[0].view, versions[1].view, versions[2].view, versions[3].view, versions[4].view
	deleted.uid = "one"
	everything := func(string) bool { return true }
	h := &history{
		nonce:    "test",
		versions: versions,
		record: record{
			transactions: []*transaction{
				{client: "a", span: span{10, 20}, outcome: acknowledged, runs: []transition{{empty, first}}, view: one},
				{client: "b", span: span{30, 40}, outcome: acknowledged, runs: []transition{{first, middle}}, view: two},
				{client: "b", span: span{31, 40}, outcome: acknowledged, runs: []transition{{middle, second}}, view: two},
				{client: "a", span: span{45, 70}, outcome: unknown, runs: []transition{{second, never}, {empty, third}}},
				{client: "b", span: span{80, 90}, outcome: unknown, runs: []transition{{third, never}}},
				{client: "a", span: span{80, 90}, outcome: failed, runs: []transition{{third, never}}},
			},
			reads: []read{
				{"a", span{5, 6}, absent},
				{"a", span{15, 22}, absent}, // when the write to come was not there yet
				{"a", span{23, 24}, one},
				{"b", span{41, 42}, two},
				{"b", span{53, 54}, deleted},
				{"a", span{91, 92}, four},
			},
			syncs: []read{
				{"b", span{46, 47}, two},
				{"a", span{100, 101}, four},
			},
			edits: []edit{{span: span{48, 51}}},
		},
		chains: []chain{
			{client: "a", passes: everything, steps: stepsOf(everything, view{}, one, two, deleted, four)},
			{client: "b", passes: everything, steps: stepsOf(everything, view{}, two, four)}, // conflated
			{client: "b", passes: onlyY, steps: stepsOf(onlyY, view{}, four)},
		},
		finals: []read{{client: "a", view: four}, {client: "b", view: four}},
	}
	for i, t := range h.transactions {
		t.id = i
	}
	return h
}

func onlyY(key string) bool { return key == "y" }

// stepsOf returns the Changes that lead through views.
func stepsOf(passes func(string) bool, views ...view) []step {
	var steps []step
	for i, now := range views[1:] {
		s := step{old: views[i], new: now, reset: views[i].uid != "" && views[i].uid != now.uid}
		before, after := views[i].contents.only(passes).values(), now.contents.only(passes).values()
		both := maps.Clone(before)
		maps.Copy(both, after)
		for _, key := range slices.Sorted(maps.Keys(both)) {
			old, had := before[key]
			value, has := after[key]
			d := delta{key, mapstore.Delta{Op: mapstore.Modified, Old: old, New: value}}
			switch {
			case had && has && old == value:
				continue
			case !had:
				d.Op = mapstore.Added
			case !has:
				d.Op = mapstore.Removed
			}
			s.keys, s.deltas = append(s.keys, key), append(s.deltas, d)
		}
		steps = append(steps, s)
	}
	return steps
}

// values are the entries without their quotes, which these need not have.
func (c contents) values() map[string]string {
	values := c.entries()
	for key, value := range values {
		values[key] = strings.Trim(value, `"`)
	}
	return values
}

func TestACleanHistoryPasses(t *testing.T) {
	report := cleanHistory().judge()
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	want := Report{Acknowledged: 3, Unknown: 2, Failed: 1, Landed: 1, Reads: 6, Syncs: 2, Changes: 7, Versions: 5, Foreign: 1, Linearizability: "ok"}
	if report.String() != want.String() {
		t.Errorf("got  %v\nwant %v", report, want)
	}
}

func TestAnyFindingIsAnError(t *testing.T) {
	for _, r := range []Report{
		{Lost: 1, Linearizability: linearizable},
		{Doubled: 1, Linearizability: linearizable},
		{Linearizability: notLinearizable},
		{Linearizability: undecided},
		{},
		{Violations: []string{"some"}, Linearizability: linearizable},
	} {
		if r.Err() == nil {
			t.Errorf("no error of %+v", r)
		}
	}
	var many Report
	for range 100 {
		many.violated("one of many")
	}
	if len(many.Violations) != maxViolations || !strings.Contains(many.Err().Error(), "and 80 violations more") {
		t.Errorf("%d of 100 violations: %v", len(many.Violations), many.Err())
	}
}

// With filters, a Change may begin later than the one before ended, but nowhere else.
func TestWhereAChangeMayBegin(t *testing.T) {
	last := view{120, true, "one", holding("x", "1", "y", "1")}
	unseen, seen := holding("x", "2", "y", "1"), holding("x", "1", "y", "2")
	for _, row := range []struct {
		what      string
		last, old view
		filtered  bool
		want      bool
	}{
		{"where the one before ended", last, last, false, true},
		{"later, without filters", last, view{130, true, "one", last.contents}, false, false},
		{"later, where nothing differs that the filter sees", last, view{130, true, "one", unseen}, true, true},
		{"later, where something does", last, view{130, true, "one", seen}, true, false},
		{"earlier", last, view{110, true, "one", unseen}, true, false},
		{"the first one, not at nothing", view{}, view{110, true, "one", holding("x", "1")}, true, false},
	} {
		if got := (chain{passes: onlyY, filtered: row.filtered}).continues(row.last, row.old); got != row.want {
			t.Errorf("%s: %v, want %v", row.what, got, row.want)
		}
	}
}

// Each row breaks the clean history in one way, or alters it in a way that is
// still clean.
func TestJudge(t *testing.T) {
	for _, row := range []struct {
		name         string
		want         string // in the error; empty: there is none
		lost, double int
		order        string // porcupine's verdict
		change       func(h *history)
	}{
		// What took effect.
		{"an acknowledged transaction never took effect", "transaction 4 of b, which was acknowledged, never took effect",
			1, 0, notLinearizable, func(h *history) { h.transactions[4].outcome, h.transactions[4].view = acknowledged, h.versions[4].view }},
		{"an update is lost: its version was written over", "version 125 was computed from version 110 and written over version 120: lost are transactions [1]",
			1, 0, notLinearizable, func(h *history) {
				over := holding("x", "2", "checker.0.0", "test.0.0", "checker.1.1", "test.2.0")
				h.transactions[2].runs = []transition{{first, over}}
				h.versions[2].contents = middle
				h.versions = slices.Insert(h.versions, 3, version{view: view{125, true, "one", over}, observed: 39})
				h.show(over, 125)
			}},
		{"a transaction is applied twice, by two runs", "transaction 0 of a, which was acknowledged, took effect in version 110 and again in version 150",
			0, 1, notLinearizable, func(h *history) { h.applyAgain(0, 1) }},
		{"a transaction of unknown outcome is applied twice", "took effect in version 110 and again in version 150",
			0, 1, notLinearizable, func(h *history) {
				h.transactions[0].outcome = unknown
				h.applyAgain(0, 1)
			}},
		{"a transaction builds on what never was", "landed in version 120 on top of something that never was",
			0, 0, notLinearizable, func(h *history) { h.transactions[1].runs[0].before = never }},
		{"the same request is applied twice", "took effect in version 140 and again in version 160",
			0, 1, notLinearizable, func(h *history) {
				h.versions = append(h.versions,
					version{view: view{150, true, "two", holding("y", "1")}, observed: 110},
					version{view: view{160, true, "two", third}, observed: 120})
				h.transactions[3].runs[1].before = holding("y", "1")
				h.end()
			}},
		{"a transaction that was not applied took effect", "transaction 0 of a, which was not applied, took effect in version 110",
			0, 1, notLinearizable, func(h *history) { h.transactions[0].outcome = failed }},
		{"a transaction took effect before it was called", "took effect in version 140, before it was called",
			0, 0, linearizable, func(h *history) { h.transactions[3].call = 76 }},
		{"a transaction took effect after what Update returned", "returned version 110 and took effect only in version 120",
			0, 0, linearizable, func(h *history) { h.transactions[1].view = h.versions[1].view }},
		{"a version holds what no transaction wrote", `version 140 is not what its transactions made of its base: z="1", want none`,
			0, 0, notLinearizable, func(h *history) {
				h.versions[4].contents = holding("y", "1", "z", "1", "checker.0.0", "test.3.1")
				h.show(h.versions[4].contents, 140)
			}},
		{"a mark is gone by a Clear in the same request", "",
			0, 0, linearizable, func(h *history) {
				cleared := holding("checker.1.1", "test.2.0")
				h.transactions[2].runs[0].after = cleared
				h.transactions[3].runs[0].before = cleared
				h.versions[2].contents = cleared
				h.show(cleared, 120)
			}},
		{"an outsider puts old contents back", "",
			0, 0, linearizable, func(h *history) {
				h.versions = append(h.versions, version{view: view{150, true, "two", first}, outsider: "o", observed: 110})
				h.end()
			}},
		{"marks of another run", "",
			0, 0, linearizable, func(h *history) {
				h.versions = append(h.versions, version{view: view{150, true, "two", holding("checker.0.0", "other.0.0")}, observed: 110})
				h.end()
			}},

		// Reads.
		{"a read is stale after an acknowledged write", "a read of a shows absent at 100 after an acknowledged write had returned 110",
			0, 0, linearizable, func(h *history) { h.reads[2].view = h.versions[0].view }},
		{"a read goes back", "a read of b shows version 120 after a read had returned 130",
			0, 0, linearizable, func(h *history) { h.reads = append(h.reads, read{"b", span{55, 56}, h.versions[2].view}) }},
		{"two reads at the same time may come in any order", "",
			0, 0, linearizable, func(h *history) { h.reads = append(h.reads, read{"b", span{52, 56}, h.versions[2].view}) }},
		{"a read of another store may be older", "",
			0, 0, linearizable, func(h *history) { h.reads = append(h.reads, read{"a", span{55, 56}, h.versions[2].view}) }},
		{"a read is torn", `a read of b shows at 120: x="2", want "3"`,
			0, 0, linearizable, func(h *history) { h.reads[3].view.contents = middle }},
		{"a read has a revision that never was", "a read of b shows version 125, which has never been",
			0, 0, linearizable, func(h *history) { h.reads[3].view.revision = 125 }},
		{"a read shows a deleted map", "a read of b shows version 130, where the witness saw the deletion at 130",
			0, 0, linearizable, func(h *history) { h.reads[4].view = view{revision: 130, exists: true, uid: "one", contents: second} }},
		{"a read shows a map as absent that is there", "a read of a shows absent at 140, where the witness saw version 140",
			0, 0, linearizable, func(h *history) { h.reads[5].view = view{revision: 140} }},
		{"a map may be absent at any revision after its deletion", "",
			0, 0, linearizable, func(h *history) { h.reads[4].view.revision = 135 }},
		{"a map that is absent from before holds something", "shows a map that is absent and holds {checker",
			0, 0, linearizable, func(h *history) { h.reads[0].view = view{revision: 90, contents: never} }},
		{"a read has the wrong UID", `with the UID "one", want "two"`,
			0, 0, linearizable, func(h *history) { h.reads[5].view.uid = "one" }},
		{"a deleted map has the UID of the next one", `with the UID "two", which no deleted object had`,
			0, 0, linearizable, func(h *history) { h.reads[4].view.uid = "two" }},
		{"what Update returned is not what was committed", "what Update returned of transaction 1 of b shows at 120:",
			0, 0, linearizable, func(h *history) { h.transactions[1].view.contents = middle }},

		// Transactions that change nothing.
		{"an aborted transaction saw what never was", "transaction 6 of b, which was not applied, saw what never was",
			0, 0, linearizable, func(h *history) { h.abort("b", span{80, 90}, never) }},
		{"an aborted transaction saw what is between two in one version", "",
			0, 0, linearizable, func(h *history) { h.abort("b", span{32, 36}, middle) }},
		{"an aborted transaction saw what its store has not followed yet", "",
			0, 0, linearizable, func(h *history) { h.abort("a", span{43, 44}, first) }},
		{"an aborted transaction saw an older version than its store had shown", "saw what was there up to 119, after a read had returned 120",
			0, 0, linearizable, func(h *history) { h.abort("b", span{43, 44}, first) }},
		{"a look sees what never was", "transaction 6 of b, which was acknowledged, saw what never was",
			0, 0, notLinearizable, func(h *history) { h.look("b", span{80, 90}, never, 4) }},
		{"a look sees what is between two in one version", "",
			0, 0, linearizable, func(h *history) { h.look("b", span{31, 41}, middle, 2) }},
		{"a look misses what another store had acknowledged", "linearizability: violated",
			0, 0, notLinearizable, func(h *history) { h.look("c", span{46, 47}, first, 1) }},

		// Syncs.
		{"a Sync misses what another store had acknowledged", "Sync of b shows version 110 after an acknowledged write of b had shown 120",
			0, 0, notLinearizable, func(h *history) { h.syncs[0].view = h.versions[1].view }},
		{"a Sync misses what an outsider had written", "Sync of b shows version 120 after an outsider's write had shown 130",
			0, 0, linearizable, func(h *history) {
				h.edits[0].revision = 130
				h.versions[3].observed = 99
				h.syncs[0] = read{"b", span{52, 53}, h.versions[2].view}
				h.reads = h.reads[:4]
			}},
		{"a Sync misses what the witness had seen", "Sync of b shows version 120 after the witness had shown 130",
			0, 0, notLinearizable, func(h *history) { h.syncs[0] = read{"b", span{53, 54}, h.versions[2].view} }},
		{"a Sync during a write may come before it", "",
			0, 0, linearizable, func(h *history) { h.syncs[0] = read{"b", span{15, 55}, h.versions[0].view} }},

		// Changes.
		{"the first Change does not begin empty", "a subscription of a: Change 0 begins at version 110, and the one before ended at absent at 0",
			0, 0, linearizable, func(h *history) { h.chains[0].steps = h.chains[0].steps[1:] }},
		{"a Change is dropped", "Change 1 begins at version 120, and the one before ended at version 110",
			0, 0, linearizable, func(h *history) { h.chains[0].steps = slices.Delete(h.chains[0].steps, 1, 2) }},
		{"the last Change is dropped", "a subscription of a ended with absent at 130, and did not come to version 140",
			0, 0, linearizable, func(h *history) { h.chains[0].steps = h.chains[0].steps[:3] }},
		{"the only Change of a filtered subscription is dropped", "a subscription of b ended with absent at 0, and did not come to version 140",
			0, 0, linearizable, func(h *history) { h.chains[2].steps = nil }},
		{"the last Change is missing of a subscription that ended before", "",
			0, 0, linearizable, func(h *history) {
				h.chains[0].steps = h.chains[0].steps[:3]
				h.chains[0].left = true
			}},
		{"a Change leads back", "Change 1 leads from version 120 to version 110",
			0, 0, linearizable, func(h *history) {
				h.chains[0].steps = stepsOf(h.chains[0].passes, view{}, h.versions[2].view, h.versions[1].view, h.versions[4].view)
			}},
		{"a Change has no deltas", "a subscription of a: Change 1 has no deltas",
			0, 0, linearizable, func(h *history) {
				// No version is between, but for one that alters metadata.
				same := h.versions[4]
				same.revision, same.observed = 150, 110
				h.versions = append(h.versions, same)
				h.end()
				for i := range h.chains {
					h.chains[i].steps = h.chains[i].steps[:len(h.chains[i].steps)-1]
				}
				h.chains[0].steps = stepsOf(h.chains[0].passes, view{}, h.versions[4].view, same.view)
				h.chains[1].steps = stepsOf(h.chains[1].passes, view{}, same.view)
				h.chains[2].steps = stepsOf(onlyY, view{}, same.view)
			}},
		{"a Reset is silent", `Change 3 from UID "one" to "two" has Reset false`,
			0, 0, linearizable, func(h *history) { h.chains[0].steps[3].reset = false }},
		{"a Reset comes out of nowhere", `Change 1 from UID "one" to "one" has Reset true`,
			0, 0, linearizable, func(h *history) { h.chains[0].steps[1].reset = true }},
		{"a delta is missing", "the deltas up to Change 1 do not make version 120",
			0, 0, linearizable, func(h *history) {
				s := &h.chains[0].steps[1]
				s.deltas, s.keys = s.deltas[:1], s.keys[:1]
			}},
		{"a delta has the wrong old value", `Change 1 has x modified from "7" to "3", where "1" was`,
			0, 0, linearizable, func(h *history) { h.chains[0].steps[1].deltas[2].Old = "7" }},
		{"a delta changes nothing", `Change 1 has checker.0.0 modified from "test.0.0" to "test.0.0"`,
			0, 0, linearizable, func(h *history) {
				s := &h.chains[0].steps[1]
				same := delta{"checker.0.0", mapstore.Delta{Op: mapstore.Modified, Old: "test.0.0", New: "test.0.0"}}
				s.deltas, s.keys = slices.Insert(s.deltas, 0, same), slices.Insert(s.keys, 0, same.key)
			}},
		{"a delta has the wrong kind", `Change 1 has x added from "1"`,
			0, 0, linearizable, func(h *history) { h.chains[0].steps[1].deltas[2].Op = mapstore.Added }},
		{"a delta passes the filters that should not", "tells of checker.0.0, which the filters leave out",
			0, 0, linearizable, func(h *history) {
				h.chains[2].steps = stepsOf(func(string) bool { return true }, view{}, h.versions[4].view)
			}},
		{"Keys and Deltas differ", "Change 0 has the keys [x] and deltas of [checker.0.0 x]",
			0, 0, linearizable, func(h *history) { h.chains[0].steps[0].keys = []string{"x"} }},
		{"a Change is torn", "a subscription of b, in New shows at 120:",
			0, 0, linearizable, func(h *history) {
				torn := h.versions[2].view
				torn.contents = middle
				h.chains[1].steps = stepsOf(h.chains[1].passes, view{}, torn, h.versions[4].view)
			}},
		{"two callbacks run at once", "a subscription of a: two callbacks at once",
			0, 0, linearizable, func(h *history) { h.chains[0].overlap = true }},
		{"a callback runs after the end", "a subscription of a: a callback ran after its end",
			0, 0, linearizable, func(h *history) { h.chains[0].late = true }},

		// The end.
		{"a store never shows the last version", "b ended with version 120, and did not come to version 140",
			0, 0, linearizable, func(h *history) { h.finals[1].view = h.versions[2].view }},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := cleanHistory()
			row.change(h)
			report := h.judge()
			err := report.Err()
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got:  %v\nwant: %s", err, row.want)
			}
			if report.Lost != row.lost || report.Doubled != row.double || report.Linearizability != row.order {
				t.Errorf("%d lost, %d doubled, linearizability %q; want %d, %d, %q",
					report.Lost, report.Doubled, report.Linearizability, row.lost, row.double, row.order)
			}
		})
	}
}

func (h *history) abort(client string, when span, saw contents) {
	h.transactions = append(h.transactions, &transaction{client: client, id: len(h.transactions), span: when, aborted: true, saw: saw})
}

// look adds a transaction that changed nothing, and returned a version.
func (h *history) look(client string, when span, saw contents, version int) {
	h.transactions = append(h.transactions, &transaction{
		client: client, id: len(h.transactions), span: when, outcome: acknowledged,
		readOnly: true, runs: []transition{{saw, saw}}, view: h.versions[version].view,
	})
}

// show makes everybody see what a version holds.
func (h *history) show(c contents, revision int64) {
	change := func(v *view) {
		if v.revision == revision {
			v.contents = c
		}
	}
	for i := range h.reads {
		change(&h.reads[i].view)
	}
	for i := range h.syncs {
		change(&h.syncs[i].view)
	}
	for _, t := range h.transactions {
		change(&t.view)
	}
	for i := range h.finals {
		change(&h.finals[i].view)
	}
	for i, c := range h.chains {
		views := []view{{}}
		for _, s := range c.steps {
			change(&s.new)
			views = append(views, s.new)
		}
		h.chains[i].steps = stepsOf(c.passes, views...)
	}
}

// end makes everybody come to the last version.
func (h *history) end() {
	last := h.versions[len(h.versions)-1].view
	for i := range h.finals {
		h.finals[i].view = last
	}
	for i, c := range h.chains {
		tail := stepsOf(c.passes, c.steps[len(c.steps)-1].new, last)
		h.chains[i].steps = append(c.steps, tail...)
	}
}

// applyAgain makes a transaction take effect a second time, by a further run.
func (h *history) applyAgain(transaction, r int) {
	m := mark{"test", transaction, r}
	after := holding("x", "1", "y", "1", "checker.0.0", m.String())
	h.transactions[transaction].runs = append(h.transactions[transaction].runs, transition{third, after})
	h.versions = append(h.versions, version{view: view{150, true, "two", after}, observed: 110})
	h.syncs = append(h.syncs, read{"a", span{120, 121}, h.versions[5].view})
	h.end()
}
