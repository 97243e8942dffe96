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
	draft     *draft
	id        string // in the ledger, if anything changes
	object    *corev1.ConfigMap
	batch     *group.Batch[*Tx, *Snapshot]
	task      *task     // that is under way; nil if there is none
	denied    time.Time // since when reads have been denied
	committed *Snapshot // contains the commit, if it was acknowledged
	forget    func()    // ends the observation of the replica

	mu       sync.Mutex // protects all below
	resolver *ledger.Resolver
	next     ledger.Action // what a version that came by has led to; Continue if to nothing
	news     chan struct{} // holds one token when next is set
}

// A task is a request or a read that is under way.
type task struct {
	cancel context.CancelFunc
	done   chan result
	left   bool // protected by the commit's mutex: nobody waits for it any more
}

// A result is what a task has come to.
type result struct {
	ledger.Event
	took    time.Duration
	applied *Snapshot // of a request that was
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
	m.evidence = m.resolver.Evidence()
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

	closed := closing.Done()
	var timer <-chan time.Time
	for {
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
		case f := <-done:
			m.leave()
			timer = nil
			event = m.note(attempt, f)
		case <-timer:
			event = &ledger.Event{Kind: ledger.Elapsed}
			timer = nil
			if m.leave() && !batch.InFlight() { // it waits in the client, and would be void
				event = &ledger.Event{Kind: ledger.Withheld, Err: remote.ErrWithheld}
			}
		case <-ended:
			event = &ledger.Event{Kind: ledger.Ended, Err: context.Cause(attempt)}
		case <-closed:
			closed = nil
			if m.task != nil && batch.InFlight() {
				defer time.AfterFunc(closeGrace, batch.Cancel).Stop()
			} else {
				batch.Cancel()
			}
		case <-m.news:
		}
		action = m.step(event)
		if m.task == nil && action != ledger.Report {
			if m.resolver.Doubt() == nil {
				batch.Land()
			}
			if closed == nil {
				action = m.step(&ledger.Event{Kind: ledger.Ended, Err: ErrClosed})
			} else if attempt.Err() != nil {
				action = m.step(&ledger.Event{Kind: ledger.Ended, Err: context.Cause(attempt)})
			}
		}
	}
}

// note takes what a task has come to, and returns it as the resolver's event.
func (m *commit) note(attempt context.Context, f result) *ledger.Event {
	if f.Err != nil && f.Kind != ledger.Withheld && attempt.Err() == nil {
		why := f.Err
		if doubt := m.resolver.Doubt(); doubt != nil && !f.Kind.IsAnswer() {
			why = fmt.Errorf("%w: %w", doubt, why)
		}
		m.batch.Note(why)
	}
	switch f.Kind {
	case ledger.Applied:
		m.committed = f.applied
		m.turns.Slot.Observe(f.took)
	case ledger.Conflict:
		m.turns.Slot.Observe(f.took)
	case ledger.ReadFailed:
		switch {
		case !remote.IsDenied(f.Err):
			m.denied = time.Time{}
		case m.denied.IsZero():
			m.denied = time.Now()
		case time.Since(m.denied) > denialGrace:
			f.Kind = ledger.ReadDenied
		}
	}
	return &f.Event
}

// begin begins a task in place of the one that is under way.
func (m *commit) begin(ctx context.Context, run func(context.Context, *task) result) {
	m.leave()
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan result, 1)}
	m.task = t
	go func() { t.done <- run(ctx, t) }()
}

// leave ends the task that is under way, and reports whether there is one. What it
// comes to does not count any more.
func (m *commit) leave() bool {
	if m.task == nil {
		return false
	}
	m.mu.Lock()
	m.task.left = true
	m.mu.Unlock()
	m.task.cancel()
	m.task = nil
	return true
}

// mayDepart reports whether the task's request may be sent now.
func (m *commit) mayDepart(t *task, changes bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.left {
		return false
	}
	return !changes || m.batch.Depart() // what changes nothing cannot be applied
}

// sending returns the task that sends the request once.
func (m *commit) sending(changes bool) func(context.Context, *task) result {
	object, base := m.object, m.draft.base
	return func(ctx context.Context, t *task) result {
		answered := m.asking()
		answer, fate, err := m.remote.Update(ctx, object, func() bool { return m.mayDepart(t, changes) })
		f := result{Event: ledger.Event{Err: err}, took: answered(fate)}
		switch fate {
		case remote.Applied:
			f.applied = newSnapshot(answer)
			f.Kind, f.Version = ledger.Applied, f.applied.version()
			f.Version.Rewinds = m.local.install(f.applied, base.rewinds).rewinds
		case remote.Conflict:
			f.Kind = ledger.Conflict
		case remote.Declined:
			f.Kind = ledger.Declined
		case remote.Rejected:
			f.Kind = ledger.Rejected
		case remote.Unsent:
			f.Kind = ledger.Unsent
		case remote.Withheld:
			f.Kind = ledger.Withheld
		default:
			f.Kind = ledger.Lost
		}
		return f
	}
}

// read is the task that brings the copy up to date.
func (m *commit) read(ctx context.Context, _ *task) result {
	if err := m.source.refresh(ctx); err != nil {
		return result{Event: ledger.Event{Kind: ledger.ReadFailed, Err: err}}
	}
	return result{Event: ledger.Event{Kind: ledger.Read, Version: m.local.load().version()}}
}

// sign adds a commit's id to the ledger of the object that is sent.
func (m *commit) sign(id string) {
	if m.object.Annotations == nil {
		m.object.Annotations = make(map[string]string, 1)
	}
	m.object.Annotations[ledger.Annotation] = m.draft.base.ledger().With(id)
}
