package mapstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/group"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// A commit is one draft on its way to the server. It does what a [ledger.Resolver]
// decides: this is the resolver's I/O and clock.
type commit struct {
	*committer
	draft        *draft
	id           string // in the ledger, if anything changes
	object       *corev1.ConfigMap
	batch        *group.Batch[*Tx, *Snapshot]
	task         *task     // that is under way; nil if there is none
	denied       time.Time // since when reads have been denied
	acknowledged *Snapshot // contains the commit; nil if only the ledger tells that it was applied
	forget       func()    // ends the observation of the replica

	mu       sync.Mutex // protects all below
	resolver *ledger.Resolver
	next     ledger.Action // what a version that came by has led to; Continue if to nothing
	news     chan struct{} // holds one token when next is set
}

const (
	// answerGrace is how long the answer to a request may take once there is a newer
	// version than the one it was based on. From then on the ledger can tell what
	// became of the request.
	answerGrace = time.Second

	// closeGrace is how long a store that is closed waits for an answer that is on
	// its way.
	closeGrace = 2 * time.Second
)

// newCommit begins a commit on the current version. From now on it sees all versions
// that come by.
func (c *committer) newCommit() *commit {
	m := &commit{committer: c, id: c.turns.Author.NewID(), news: make(chan struct{}, 1)}
	m.forget = c.local.observe(m.saw, func(base *Snapshot) {
		m.draft = newDraft(base)
		m.resolver = ledger.NewResolver(base.version(), m.id, c.evidence)
	})
	return m
}

func (m *commit) end() {
	m.forget()
	m.leave()
}

// saw takes a version that came by. It runs under the replica's lock.
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

// step tells the resolver what has happened, nil if nothing. What a version that came
// by meanwhile has led to goes first, and makes a time or a read pointless.
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

// resolve brings the draft to the server. The store closes when closing is done: then
// nothing new is begun, and what is in flight has a little time.
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
			return m.resolver.Outcome()
		case ledger.SendFence:
			m.object = newDraft(m.draft.base).configMap()
			m.sign(m.turns.Author.NewID())
			m.begin(attempt, m.sending(changes))
		case ledger.Send:
			m.begin(attempt, m.sending(changes))
		case ledger.ReadNow:
			m.begin(attempt, m.read)
		case ledger.WaitForAnswer:
			timer = time.After(answerGrace)
		case ledger.WaitForVersion:
			m.leave()
			timer = time.After(m.turns.Slot.Length() + m.retry.next())
		case ledger.WaitForWatch:
			m.leave()
			timer = time.After(watchGrace)
		}

		var done <-chan result
		ended := attempt.Done()
		if m.task != nil {
			done, ended = m.task.done, nil // it ends with the attempt by itself
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

// elapsed is the event when the time of a wait is over. A request that still waits in
// the client is void by then.
func (m *commit) elapsed() *ledger.Event {
	if m.leave() && !m.batch.InFlight() {
		return &ledger.Event{Kind: ledger.Withheld, Err: remote.ErrWithheld}
	}
	return &ledger.Event{Kind: ledger.Elapsed}
}

// note takes what a task has come to, and returns it as the resolver's event.
func (m *commit) note(attempt context.Context, r result) *ledger.Event {
	if r.Err != nil && r.Kind != ledger.Withheld && attempt.Err() == nil {
		why := r.Err
		if doubt := m.resolver.Doubt(); doubt != nil && !r.Kind.IsAnswer() {
			why = fmt.Errorf("%w: %w", doubt, why)
		}
		m.batch.Note(why)
	}
	switch r.Kind {
	case ledger.Applied:
		m.turns.Slot.Observe(r.took)
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
		m.turns.Slot.Observe(r.took)
	case ledger.ReadFailed:
		switch {
		case !remote.IsDenied(r.Err):
			m.denied = time.Time{}
		case m.denied.IsZero():
			m.denied = time.Now()
		case time.Since(m.denied) > denialGrace:
			r.Kind = ledger.ReadDenied
		}
	}
	return &r.Event
}

// sign adds a commit's id to the ledger of the object that is sent.
func (m *commit) sign(id string) {
	if m.object.Annotations == nil {
		m.object.Annotations = make(map[string]string, 1)
	}
	m.object.Annotations[ledger.Annotation] = m.draft.base.ledger().With(id)
}
