package ledger

import (
	"errors"
	"fmt"
)

// A Resolver takes one commit from its first request to its outcome. It may send the
// request again: all copies carry the base's resource version, so at most one of them
// can be applied.
//
// The store calls [Resolver.Saw] with each version that arrives, from the moment when
// it reads the base. When it knows what to commit, it calls [Resolver.Begin], and then
// [Resolver.Step] with the result of the last [Action], until the action is [Report].
type Resolver struct {
	commit commit
	state  state
	newest Version // that was seen or read

	answer  Event // the last one
	lost    error // why an earlier request may have been applied; nil if none may
	sent    int   // how many requests were sent
	fenced  bool  // the request is now the fence
	watched bool  // the watch has had its time
	outcome Outcome
}

type state int

const (
	starting state = iota
	sending        // a request is under way
	overdue        // a request is under way, and a newer version may have made it void
	looking        // the request was answered or its answer is lost; a newer version will tell
	watching       // a newer version does not tell; the watch may
	reported       // there is an outcome
)

// NewResolver returns the resolver of a commit on base. The id is the commit's own.
func NewResolver(base Version, id string, evidence Evidence) *Resolver {
	return &Resolver{commit: commit{id: id, base: base, evidence: evidence}, newest: base}
}

// An Event is the result of an [Action].
type Event struct {
	Kind    EventKind
	Version Version // for Applied and Read
	Err     error   // what the server or the network said, if anything
}

// An EventKind is the kind of an [Event].
type EventKind int

// The kinds of an [Event].
const (
	Applied    EventKind = iota // the request was applied, as Version
	Conflict                    // not applied: its base is not the newest version
	Declined                    // not applied: the server is too busy; the next request may be applied
	Rejected                    // not applied: the server said no and would say so again
	Unsent                      // not applied: it was never sent; the next request may be
	Withheld                    // not applied: it must not be sent, because a caller has left
	Lost                        // the request may have been applied
	Read                        // a read has returned Version, which was current after the read began
	ReadFailed                  // a read has failed
	ReadDenied                  // reads have been denied for so long that there is no point in going on
	Elapsed                     // the time of a wait is over
	Ended                       // the store is closing, or nobody waits any more
)

// IsAnswer reports whether the event is the result of a request, sent or not.
func (k EventKind) IsAnswer() bool { return k <= Lost }

// An Action is what the store must do next.
type Action int

// The actions.
const (
	Continue  Action = iota // go on with what is under way
	Send                    // send the request
	SendFence               // send a fence, which replaces the request: it has the same base and changes only the ledger
	ReadNow                 // read the newest version
	Report                  // there is an outcome: see Resolver.Outcome

	// The store decides how long each wait lasts. When it is over, the event is Elapsed.
	WaitForAnswer  // a newer version has come: the answer should follow, unless it is lost
	WaitForVersion // wait for the watch, which is often faster than a read
	WaitForWatch   // wait for the watch to show the versions that a read skipped
)

// An Outcome is how a commit has ended.
type Outcome struct {
	Kind     OutcomeKind
	Err      error    // why it was not applied, or why that is unknown
	Evidence Evidence // whether the commit's id has arrived; Unproven if that is unknown
}

// An OutcomeKind is the kind of an [Outcome].
type OutcomeKind int

// The kinds of an [Outcome].
const (
	Committed   OutcomeKind = iota // applied
	Superseded                     // not applied; try again on the newest version
	Unavailable                    // not applied; try again after a delay
	Refused                        // not applied: the server said no, maybe only to a part of it
	Uncompleted                    // not applied: the server never completed it, maybe because of a part of it
	Unknown                        // it may have been applied
)

var (
	// errBackInTime is why an answer does not count if it came after the server went back
	// in time: it may be from before.
	errBackInTime = errors.New("the API server has gone back in time")

	errSuperseded = errors.New("somebody else has written meanwhile")
	errNoAnswer   = errors.New("no answer, though somebody else has written since")
)

// maxSends is how often a request is sent without a clear answer before a fence is sent.
const maxSends = 3

// Doubt returns why an earlier request may have been applied; nil if none may. It leaves
// out the request that is under way.
func (r *Resolver) Doubt() error { return r.lost }

// Outcome returns how the commit has ended, once an action was Report.
func (r *Resolver) Outcome() Outcome { return r.outcome }

// Begin returns the first action. A request that changes nothing carries no id: it only
// confirms that base is the newest version. If base is already known not to be, nothing
// is sent.
func (r *Resolver) Begin(changes bool) Action {
	if !changes {
		r.commit.id = ""
	}
	if r.isOld() {
		return r.report(Superseded, errSuperseded)
	}
	return r.send()
}

// Saw takes a version that arrived. It returns Continue if that changes nothing.
func (r *Resolver) Saw(v Version) Action {
	r.commit.observe(v)
	if v.Sequence != 0 {
		r.newest = v
	}
	switch {
	case !r.isOld():
	case r.state == sending && v.Sequence != 0:
		r.state = overdue
		return WaitForAnswer
	case r.state == looking, r.state == watching && r.commit.seen != undecided:
		return r.conclude()
	}
	return Continue
}

// Step takes the result of the last action, and returns the next action.
func (r *Resolver) Step(e Event) Action {
	switch {
	case e.Kind == Ended && r.lost != nil:
		return r.report(Unknown, fmt.Errorf("%w: %w", r.lost, e.Err))
	case e.Kind == Ended:
		return r.report(Superseded, r.answer.Err)
	case r.state == reported:
		return Report
	case r.state == looking:
		return r.looked(e)
	case r.state == watching: // the wait for the watch is over
		r.watched = true
		return r.conclude()
	default:
		return r.answered(e)
	}
}

// isOld reports whether base is no longer the newest version.
func (r *Resolver) isOld() bool { return r.newest.Sequence != r.commit.base.Sequence }

func (r *Resolver) send() Action {
	r.state = sending
	r.sent++
	if r.sent > maxSends && !r.fenced {
		r.fenced = true
		return SendFence
	}
	return Send
}

func (r *Resolver) report(kind OutcomeKind, err error) Action {
	r.state, r.outcome = reported, Outcome{Kind: kind, Err: err}
	return Report
}

// answered takes the answer to a request, or Elapsed if it is overdue.
func (r *Resolver) answered(e Event) Action {
	switch {
	case e.Kind == Elapsed:
		e = Event{Kind: Lost, Err: errNoAnswer}
	case e.Kind == Applied && e.Version.Rewinds != r.commit.base.Rewinds:
		e = Event{Kind: Lost, Err: errBackInTime}
	case e.Kind == Applied && r.fenced && e.Version.Revision == r.commit.base.Revision:
		e = Event{Kind: Lost, Err: r.lost} // a policy has taken off all that the fence changes
	case e.Kind == Applied && r.fenced: // the request never will be: its base is no longer the newest version
		return r.report(Uncompleted, r.lost)
	case e.Kind == Applied:
		r.report(Committed, nil)
		if r.commit.id != "" {
			r.outcome.Evidence = EvidenceOf(e.Version, r.commit.id)
		}
		return Report
	}
	r.answer = e
	switch {
	case e.Kind == Lost && r.commit.id != "":
		r.lost = e.Err
	case r.lost != nil, e.Kind == Conflict:
	case e.Kind == Rejected:
		return r.report(Refused, e.Err)
	case e.Kind == Withheld:
		return r.report(Superseded, e.Err)
	case e.Kind == Unsent, r.commit.id == "":
		return r.report(Unavailable, e.Err)
	}
	// Look for the request even if it was declined or met a conflict: somebody between us
	// and the server may have sent it twice, and this may be the answer to the second.
	r.state = looking
	if r.isOld() {
		return r.conclude()
	}
	return WaitForVersion
}

// looked takes the result of a read, or of the wait before it.
func (r *Resolver) looked(e Event) Action {
	switch {
	case e.Kind == Elapsed:
		return ReadNow
	case e.Kind == Read:
		r.commit.observe(e.Version)
		r.newest = e.Version
		return r.conclude()
	case r.lost == nil:
		return r.report(Unavailable, r.answer.Err)
	case e.Kind == ReadDenied:
		return r.report(Unknown, fmt.Errorf("%w: %w", r.lost, e.Err))
	default:
		return WaitForVersion
	}
}

// conclude decides by the newest version.
func (r *Resolver) conclude() Action {
	switch verdict := r.commit.verdict(r.newest); {
	case verdict == landed:
		r.report(Committed, nil)
		r.outcome.Evidence = Arriving
		return Report
	case verdict == undecided && r.lost == nil: // the request was answered, so it will not land
		return r.report(Unavailable, r.answer.Err)
	case r.lost == nil:
		return r.report(Superseded, r.answer.Err)
	case verdict == missed:
		return r.report(Superseded, r.lost)
	case verdict == unknowable && !r.watched && r.newest.Resets == r.commit.base.Resets:
		r.state = watching
		return WaitForWatch
	case verdict == unknowable, r.answer.Kind == Rejected:
		return r.report(Unknown, r.lost)
	default:
		return r.send()
	}
}
