package ledger

import (
	"errors"
	"fmt"
)

// A Resolver takes one commit from its first request to its outcome. It may send a
// request again because the base's resource version in it lets at most one of them be
// applied.
//
// The store calls [Resolver.Saw] with each version that comes by, from the time on at
// which it has read the base. When it knows what it wants to commit it calls
// [Resolver.Begin], and then [Resolver.Step] with what the last [Action] has come to,
// until the action is [Report].
type Resolver struct {
	commit commit
	state  state
	newest Version // that was seen or read

	answer  Event // the last one
	lost    error // what a request met of which it is not known what became; nil if there is none
	sent    int   // requests
	fenced  bool  // what is sent now is the fence
	patient bool  // the watch has had its time
	outcome Outcome
}

type state int

const (
	starting state = iota
	sending        // a request is under way
	overdue        // and a newer version has come by, which may have made it void
	looking        // there is an answer, or it is lost, and no newer version yet
	watching       // a newer version does not tell, and the watch may
	reported
)

// NewResolver returns the resolver of a commit on base. The id is the commit's own.
func NewResolver(base Version, id string, evidence Evidence) *Resolver {
	return &Resolver{commit: commit{id: id, base: base, evidence: evidence}, newest: base}
}

// An Event is what an [Action] has come to.
type Event struct {
	Kind    EventKind
	Version Version // of Applied and Read
	Err     error   // of all that carry one: what the server or network said
}

// An EventKind is the kind of an [Event].
type EventKind int

const (
	Applied    EventKind = iota // the request was applied, as Version
	Conflict                    // no: its base is not the newest version
	Declined                    // no: the server is too busy; the next one may be applied
	Rejected                    // no, and the server would say so again
	Unsent                      // it was never sent; the next one may be
	Withheld                    // it must not be sent, as somebody has left it
	Lost                        // it may have been applied
	Read                        // a read has returned Version, which was current after it was asked for
	ReadFailed                  // a read has failed
	ReadDenied                  // reads have been denied for so long that there is no point in going on
	Elapsed                     // the time of Wait is over
	Ended                       // the store closes, or nobody waits any more
)

// IsAnswer reports whether the event is what a request that was sent has come to.
func (k EventKind) IsAnswer() bool { return k <= Lost }

// An Action is what is to be done next.
type Action int

const (
	Continue  Action = iota // go on with what is under way
	Send                    // send the request
	SendFence               // send, in its place from now on, a request on the same base that changes only the ledger
	ReadNow                 // read the newest version
	Report                  // there is an outcome: see Resolver.Outcome

	// What to wait for decides for how long; then the event is Elapsed.
	WaitForAnswer  // a newer version has come: the answer should follow, if it is not lost
	WaitForVersion // the watch is often faster than a read
	WaitForWatch   // which shows what a read was faster than
)

// An Outcome is how a commit has ended.
type Outcome struct {
	Kind     OutcomeKind
	Err      error    // why it was not applied, or is not known to be
	Evidence Evidence // what a commit shows of whether ids arrive; Unproven if nothing
}

// An OutcomeKind is the kind of an [Outcome].
type OutcomeKind int

const (
	Committed   OutcomeKind = iota // applied
	Superseded                     // not applied; try again on the newest version
	Unavailable                    // not applied; try again after a delay
	Refused                        // not applied: the server says no, maybe to a part of it
	Uncompleted                    // not applied: the server does not complete it, maybe because of a part of it
	Unknown                        // it may have been applied
)

var (
	// errBackInTime is what an answer met that came after the server went back in
	// time: it may be from before.
	errBackInTime = errors.New("the API server has gone back in time")

	errSuperseded = errors.New("somebody else has written meanwhile")
	errNoAnswer   = errors.New("no answer, though somebody else has written since")
)

// maxSendings is how often a request is sent of which the server does not say what
// became of it, before a fence is.
const maxSendings = 3

// Doubt returns what a request has met that may have been applied, other than one that
// is under way; nil if there is none.
func (r *Resolver) Doubt() error { return r.lost }

// Outcome returns how the commit has ended, once an action was Report.
func (r *Resolver) Outcome() Outcome { return r.outcome }

// Begin returns the first action. A request that changes nothing has no id in it, and
// serves to confirm that base is the newest version. What is known to be void is not
// sent.
func (r *Resolver) Begin(changes bool) Action {
	if !changes {
		r.commit.id = ""
	}
	if r.isOld() {
		return r.report(Superseded, errSuperseded)
	}
	return r.send()
}

// Saw takes a version that came by, and returns Continue where that changes nothing.
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

// Step takes what the last action has come to, and returns the next one.
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
	case r.state == watching: // its time is over
		r.patient = true
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
	if r.sent > maxSendings && !r.fenced {
		r.fenced = true
		return SendFence
	}
	return Send
}

func (r *Resolver) report(kind OutcomeKind, err error) Action {
	r.state, r.outcome = reported, Outcome{Kind: kind, Err: err}
	return Report
}

// answered takes an answer, or that it is overdue.
func (r *Resolver) answered(e Event) Action {
	switch {
	case e.Kind == Elapsed:
		e = Event{Kind: Lost, Err: errNoAnswer}
	case e.Kind == Applied && e.Version.Rewinds != r.commit.base.Rewinds:
		e = Event{Kind: Lost, Err: errBackInTime}
	case e.Kind == Applied && r.fenced: // so the request never will be
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
	// Even a request that was declined or met a conflict is looked for: the answer may
	// come from somebody in between who did not see the first one.
	r.state = looking
	if r.isOld() {
		return r.conclude()
	}
	return WaitForVersion
}

// looked takes what a look at the server has come to.
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

// conclude draws what there is to draw from the newest version.
func (r *Resolver) conclude() Action {
	switch verdict := r.commit.verdict(r.newest); {
	case verdict == landed:
		r.report(Committed, nil)
		r.outcome.Evidence = Arriving
		return Report
	case verdict == undecided && r.lost == nil: // it has been answered, so it will not land
		return r.report(Unavailable, r.answer.Err)
	case r.lost == nil:
		return r.report(Superseded, r.answer.Err)
	case verdict == missed:
		return r.report(Superseded, r.lost)
	case verdict == unknowable && !r.patient && r.newest.Resets == r.commit.base.Resets:
		r.state = watching
		return WaitForWatch
	case verdict == unknowable, r.answer.Kind == Rejected:
		return r.report(Unknown, r.lost)
	default:
		return r.send()
	}
}
