package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Every order of events, up to a depth, in a small world: a server, requests on their
// way, other writers, a watch that is late, and a policy. What a resolver reports must
// be true.
func TestEveryOrderOfEvents(t *testing.T) {
	const depth = 9
	for name, row := range map[string]struct {
		policy   policy
		ledger   IDs
		evidence Evidence
	}{
		"ids arrive":                            {keeps, IDs{"a"}, Arriving},
		"ids arrive, and nobody knows":          {keeps, IDs{"a"}, Unproven},
		"ids arrive at last":                    {keeps, nil, Stripped},
		"the first commit of all":               {keeps, nil, Unproven},
		"ids are stripped, and nobody knows":    {strips, nil, Unproven},
		"ids are stripped":                      {strips, nil, Stripped},
		"ids are stripped from now on":          {strips, IDs{"a"}, Arriving},
		"the ledger is kept, and nobody knows":  {restores, IDs{"a"}, Unproven},
		"the ledger is kept, of which is known": {restores, IDs{"a"}, Stripped},
	} {
		t.Run(name, func(t *testing.T) {
			base := Version{Sequence: 1, Revision: "1", IDs: row.ledger}
			e := &explorer{T: t, ends: make(map[OutcomeKind]int)}
			w := world{policy: row.policy, history: []Version{base}, resolver: *NewResolver(base, "me", row.evidence), foreign: 2, losses: 3}
			w.act(w.resolver.Begin(true))
			e.explore(w, depth, nil)
			t.Logf("%d ends: %v", e.total, e.ends)
			for _, kind := range []OutcomeKind{Committed, Superseded, Unavailable, Unknown} {
				if e.ends[kind] == 0 {
					t.Errorf("no order of events ends with %v", kind)
				}
			}
		})
	}
}

// A policy is what becomes of the ledger that a commit sends.
type policy int

const (
	keeps policy = iota
	strips
	restores // what it was before
)

// A world is the server and everything on its way, as it is at one moment. It is
// copied to try what may come next.
type world struct {
	policy   policy
	history  []Version
	resolver Resolver

	asked      Action   // what the resolver has asked for
	request    string   // the id of what is under way; "" if nothing is
	stragglers []string // requests of which nobody waits for an answer any more, and which may yet arrive
	landed     bool
	lost       bool // an answer of a request that was sent
	shown      int  // how much of the history the watch has shown
	held       int  // the version that the store's copy holds
	foreign    int  // how many writes of others may come
	losses     int  // how many more requests and answers may be lost
}

var errWorld = errors.New("so it is")

func (w *world) act(a Action) {
	if a == Continue {
		return
	}
	w.asked = a
	switch a {
	case Send:
		w.request = "me"
	case SendFence:
		w.request = "fence"
	case Report, WaitForVersion, WaitForWatch, ReadNow:
		if w.request != "" { // it was given up
			w.stragglers = append(slices.Clone(w.stragglers), w.request)
			w.request = ""
		}
	}
}

func (w *world) now() Version { return w.history[len(w.history)-1] }

// apply lets the server handle a guarded write, and reports whether it has landed.
func (w *world) apply(id string) bool {
	if w.now().Revision != "1" {
		return false
	}
	w.landed = w.landed || id == "me"
	w.write(w.commit(id))
	return true
}

// commit returns what a commit's ledger becomes.
func (w *world) commit(id string) IDs {
	switch w.policy {
	case strips:
		return nil
	case restores:
		return w.now().IDs
	default:
		return Parse(w.now().IDs.With(id, 1<<18))
	}
}

func (w *world) write(ids IDs) {
	w.history = append(slices.Clone(w.history), Version{
		Revision: fmt.Sprint(len(w.history) + 1), Follows: w.now().Revision, Resets: w.now().Resets, IDs: ids,
	})
}

// see hands a version to the store, as its replica does: from the watch, with what it
// came after, or from an answer.
func (w *world) see(i int, watched bool) Version {
	v := w.history[i]
	if !watched {
		v.Follows = ""
	}
	told := v
	if i > w.held {
		w.held = i
		told.Sequence = sequence(i)
	}
	v.Sequence = sequence(i)
	w.act(w.resolver.Saw(told))
	return v
}

// sequence is that of the ith version of the history.
func sequence(i int) uint64 { return uint64(i) + 1 } //nolint:gosec // an index

func (w *world) step(kind EventKind, v Version) {
	w.act(w.resolver.Step(Event{Kind: kind, Version: v, Err: errWorld}))
}

// answer ends the request that is under way.
func (w *world) answer(kind EventKind, v Version) {
	w.request = ""
	w.step(kind, v)
}

// A choice is something that may happen next.
type choice struct {
	name string
	do   func(*world)
}

func (w *world) choices() []choice {
	var all []choice
	add := func(name string, do func(*world)) { all = append(all, choice{name, do}) }
	if id := w.request; id != "" {
		add("answer", func(w *world) {
			if !w.apply(id) {
				w.answer(Conflict, Version{})
				return
			}
			i := len(w.history) - 1
			w.see(i, false)
			if w.request != "" {
				v := w.history[i]
				v.Sequence, v.Follows = sequence(i), ""
				w.answer(Applied, v)
			}
		})
		if w.losses > 0 {
			add("lost answer", func(w *world) { w.losses--; w.lost = true; w.apply(id); w.answer(Lost, Version{}) })
			add("lost on its way", func(w *world) {
				w.losses--
				w.lost = true
				w.stragglers = append(slices.Clone(w.stragglers), id)
				w.answer(Lost, Version{})
			})
		}
		add("declined", func(w *world) { w.answer(Declined, Version{}) })
		add("unsent", func(w *world) { w.answer(Unsent, Version{}) })
		add("rejected", func(w *world) { w.answer(Rejected, Version{}) })
	}
	switch w.asked {
	case ReadNow:
		add("read", func(w *world) {
			i := len(w.history) - 1
			if v := w.see(i, false); w.asked == ReadNow {
				w.step(Read, v)
			}
		})
		add("cannot read", func(w *world) { w.step(ReadFailed, Version{}) })
	case WaitForAnswer:
		add("elapsed", func(w *world) { w.lost = true; w.step(Elapsed, Version{}) })
	case WaitForVersion, WaitForWatch:
		add("elapsed", func(w *world) { w.step(Elapsed, Version{}) })
	}
	if w.shown+1 < len(w.history) {
		add("watch", func(w *world) { w.shown++; w.see(w.shown, true) })
	}
	for i, id := range w.stragglers {
		add("late "+id, func(w *world) { w.stragglers = slices.Delete(slices.Clone(w.stragglers), i, i+1); w.apply(id) })
	}
	if w.foreign > 0 {
		add("other's commit", func(w *world) { w.foreign--; w.write(w.commit(fmt.Sprint("other", w.foreign))) })
		add("edit", func(w *world) { w.foreign--; w.write(w.now().IDs) })
		add("wipe", func(w *world) { w.foreign--; w.write(nil) })
		add("recreate", func(w *world) { // from a backup, and somebody has committed since
			w.foreign--
			w.write(append(IDs{"other"}, w.history[0].IDs...))
			w.history[len(w.history)-1].Resets++
		})
	}
	return all
}

type explorer struct {
	*testing.T
	total int
	ends  map[OutcomeKind]int
}

func (e *explorer) explore(w world, depth int, path []string) {
	if w.asked == Report {
		e.total++
		e.ends[w.resolver.Outcome().Kind]++
		if why := w.lie(); why != "" {
			e.Fatalf("%s: %+v\n\t%s", why, w.resolver.Outcome(), strings.Join(path, "\n\t"))
		}
		return
	}
	if depth == 0 {
		return
	}
	for _, c := range w.choices() {
		next := w
		c.do(&next)
		e.explore(next, depth-1, append(path, c.name))
	}
}

// lie says what is untrue of the outcome; "" if nothing is.
func (w *world) lie() string {
	mayLand := slices.Contains(w.stragglers, "me") && w.now().Revision == "1"
	switch kind := w.resolver.Outcome().Kind; {
	case kind == Committed && !w.landed:
		return "committed, which it is not"
	case kind == Unknown && !w.lost:
		return "unknown, though every answer has come"
	case kind != Committed && kind != Unknown && w.landed:
		return "not applied, which it is"
	case kind != Committed && kind != Unknown && mayLand:
		return "not applied, which it may yet be"
	}
	return ""
}
