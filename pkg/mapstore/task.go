package mapstore

import (
	"bytes"
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

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
	undone  bool      // it changes something, and nothing of that has come to be
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

// maySend reports whether the task's request may be sent now.
func (m *commit) maySend(t *task, changes bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.left {
		return false
	}
	return !changes || m.batch.SetInFlight() // what changes nothing cannot be applied
}

// eventOf is what the fate of a request is to the resolver.
var eventOf = map[remote.Fate]ledger.EventKind{
	remote.Applied:  ledger.Applied,
	remote.Conflict: ledger.Conflict,
	remote.Declined: ledger.Declined,
	remote.Rejected: ledger.Rejected,
	remote.Unsent:   ledger.Unsent,
	remote.Withheld: ledger.Withheld,
	remote.Unclear:  ledger.Lost,
}

// sending returns the task that sends the request once.
func (m *commit) sending(changes bool) func(context.Context, *task) result {
	object, base := m.object, m.draft.base
	return func(ctx context.Context, t *task) result {
		answered := m.asking()
		answer, fate, err := m.remote.Update(ctx, object, func() bool { return m.maySend(t, changes) })
		r := result{Event: ledger.Event{Kind: eventOf[fate], Err: err}, took: answered(fate)}
		if fate == remote.Applied {
			r.applied = newSnapshot(answer)
			r.undone = changesData(object, base.object) && maps.Equal(r.applied.data, base.data)
		}
		return r
	}
}

// changesData reports whether one version of the object has other entries than another.
func changesData(a, b *corev1.ConfigMap) bool {
	return !maps.Equal(a.Data, b.Data) || !maps.EqualFunc(a.BinaryData, b.BinaryData, bytes.Equal)
}

// read is the task that brings the copy up to date.
func (m *commit) read(ctx context.Context, _ *task) result {
	if err := m.source.refresh(ctx); err != nil {
		return result{Event: ledger.Event{Kind: ledger.ReadFailed, Err: err}}
	}
	return result{Event: ledger.Event{Kind: ledger.Read, Version: m.local.load().version()}}
}
