package mapstore

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/group"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

const (
	// answerGrace is how long the answer to a request may take once there is a version
	// newer than the request's base. After that the ledger is asked, which can tell by
	// then what became of the request.
	answerGrace = time.Second

	// closeGrace is how long a store that is being closed waits for the answer to a
	// request that is in flight.
	closeGrace = 2 * time.Second
)

// newCommit begins a commit on the current version. From then on the commit sees all
// versions that arrive.
func (c *committer) newCommit() *commit {
	m := &commit{committer: c, id: c.turns.NewID(c.group.Queued() > 1), news: make(chan struct{}, 1)}
	m.forget = c.local.observe(m.saw, func(base *Snapshot) {
		m.draft = newDraft(base)
		m.resolver = ledger.NewResolver(base.version(), m.id, c.evidence)
	})
	return m
}

// release ends what newCommit and begin have started.
func (m *commit) release() {
	m.forget()
	m.leave()
}

// saw takes a version that arrived. It runs under the replica's lock.
func (m *commit) saw(v ledger.Version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if next := m.resolver.Saw(v); next != ledger.Continue {
		m.next = next
		select {
		case m.news <- struct{}{}:
		default:
		}
	}
}

// step passes an event to the resolver, if there is one, and returns the next action. If
// a version that arrived has already led to an action, that goes first, and a time that
// has elapsed or a read does not count; an answer still does.
func (m *commit) step(e *ledger.Event) ledger.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.next
	m.next = ledger.Continue
	if e == nil || next != ledger.Continue && !e.Kind.IsAnswer() {
		return next
	}
	return m.resolver.Step(*e)
}

// resolve brings the draft to the server, and returns the outcome. The store is being
// closed when closing is done: then nothing new is begun, and a request that is in
// flight has closeGrace for its answer.
func (m *commit) resolve(closing, attempt context.Context, batch *group.Batch[*Tx, *Snapshot]) ledger.Outcome {
	m.batch, m.object = batch, m.draft.configMap()
	changes := m.draft.differs()
	if changes {
		m.sign(m.id)
	}
	m.mu.Lock()
	action := m.resolver.Begin(changes)
	m.mu.Unlock()

	var timer <-chan time.Time
	for closed := closing.Done(); ; {
		switch action {
		case ledger.Report:
			return m.outcome(changes)
		case ledger.SendFence:
			m.object = newDraft(m.draft.base).configMap()
			m.sign(m.turns.NewID(false))
			m.begin(attempt, m.sending(changes))
		case ledger.Send:
			m.begin(attempt, m.sending(changes))
		case ledger.ReadNow:
			m.begin(attempt, m.read)
		case ledger.WaitForAnswer:
			timer = time.After(answerGrace)
		case ledger.WaitForVersion:
			m.leave()
			timer = time.After(m.turns.Slot.Length() + m.retry.Next())
		case ledger.WaitForWatch:
			m.leave()
			timer = time.After(watchGrace)
		}

		var done <-chan result
		ended := attempt.Done()
		if m.task != nil {
			done, ended = m.task.done, nil // the task ends with the attempt by itself
		}
		var event *ledger.Event
		select {
		case r := <-done:
			m.leave()
			timer = nil
			event = m.note(attempt, r)
		case <-timer:
			timer = nil
			event = m.elapsed()
		case <-m.news:
		case <-ended:
		case <-closed:
			closed = nil
			if m.task != nil && batch.InFlight() {
				defer time.AfterFunc(closeGrace, batch.Cancel).Stop()
			} else {
				batch.Cancel()
			}
		}
		action = m.step(event)
		if m.task != nil || action == ledger.Report {
			continue
		}
		if m.resolver.Doubt() == nil {
			batch.ClearInFlight()
		}
		if closed == nil {
			action = m.step(&ledger.Event{Kind: ledger.Ended, Err: ErrClosed})
		} else if attempt.Err() != nil {
			action = m.step(&ledger.Event{Kind: ledger.Ended, Err: context.Cause(attempt)})
		}
	}
}

// outcome returns how the commit has ended. The ledger shows that it has landed, and not
// whether the server kept what it changes; the version that it made does. If that is no
// longer the newest, or the watch has not brought it, the commit counts as applied.
func (m *commit) outcome(changes bool) ledger.Outcome {
	outcome, base, now := m.resolver.Outcome(), m.draft.base, m.local.load()
	isOurs := changes && now.follows == base.revision && now.ledger().Head() == m.id
	if outcome.Kind == ledger.Committed && m.acknowledged == nil && isOurs && maps.Equal(now.data, base.data) {
		outcome.Kind, outcome.Err = ledger.Refused, errUndone
	}
	return outcome
}

// elapsed returns the event for the end of a wait. A request that has not left the
// client by then is withheld.
func (m *commit) elapsed() *ledger.Event {
	if m.leave() && !m.batch.InFlight() {
		return &ledger.Event{Kind: ledger.Withheld, Err: remote.ErrWithheld}
	}
	return &ledger.Event{Kind: ledger.Elapsed}
}

// note processes the result of a task, and returns it as an event for the resolver.
func (m *commit) note(attempt context.Context, r result) *ledger.Event {
	if r.Err != nil && r.Kind != ledger.Withheld && attempt.Err() == nil {
		why := r.Err
		if doubt := m.resolver.Doubt(); doubt != nil && !r.Kind.IsAnswer() {
			why = fmt.Errorf("%w: %w", doubt, why)
		}
		m.batch.Note(why)
		if r.Kind == ledger.Lost || r.Kind == ledger.Declined || r.Kind == ledger.Unsent {
			m.inTrouble(why)
		}
	}
	switch r.Kind {
	case ledger.Applied:
		m.turns.Took(r.took, m.remote.Fastest())
		r.Version = r.applied.version()
		r.Version.Rewinds = m.local.install(r.applied, m.draft.base.rewinds).rewinds
		switch {
		case r.Version.Rewinds != m.draft.base.rewinds:
		case r.undone:
			r.Kind, r.Err = ledger.Rejected, errUndone
		default:
			m.acknowledged = r.applied
		}
	case ledger.Conflict:
		m.turns.Took(r.took, m.remote.Fastest())
	case ledger.ReadFailed:
		switch {
		case !remote.IsDenied(r.Err):
			m.readsDenied = time.Time{}
		case m.readsDenied.IsZero():
			m.readsDenied = time.Now()
		case time.Since(m.readsDenied) > source.DenialGrace:
			r.Kind = ledger.ReadDenied
		}
	}
	return &r.Event
}

// sign adds a commit's id to the ledger in the object to send.
func (m *commit) sign(id string) {
	if m.object.Annotations == nil {
		m.object.Annotations = make(map[string]string, 1)
	}
	m.object.Annotations[ledger.Annotation] = m.draft.base.signature(id)
	delete(m.object.Annotations, ledger.HoldAnnotation)
}
