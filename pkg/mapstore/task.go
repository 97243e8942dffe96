package mapstore

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/group"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// A commit takes one draft to the server. It carries out what a [ledger.Resolver]
// decides: it is the resolver's I/O and clock.
type commit struct {
	*committer
	draft        *draft
	id           string            // in the ledger, if anything changes
	object       *corev1.ConfigMap // what is sent
	batch        *group.Batch[*Tx, *Snapshot]
	task         *task     // the one that is under way; nil if none is
	readsDenied  time.Time // since when reads have been denied; zero if they are not
	acknowledged *Snapshot // the version that the server's answer contained; nil if there was no such answer
	forget       func()    // ends the observation of the replica

	mu       sync.Mutex // protects all below
	resolver *ledger.Resolver
	next     ledger.Action // the resolver's action on a version that arrived; Continue if none
	news     chan struct{} // holds one token when next is set
}

// A task is one request or read that is under way.
type task struct {
	cancel context.CancelFunc
	done   chan result
	left   bool // protected by the commit's mutex: nobody waits for it any more
}

// A result is the result of a task.
type result struct {
	ledger.Event
	took    time.Duration
	applied *Snapshot // the version that the request made, if it was applied
	undone  bool      // the server accepted the request, but the map's entries are as before
}

// begin begins a task in place of the current one.
func (m *commit) begin(ctx context.Context, run func(context.Context, *task) result) {
	m.leave()
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan result, 1)}
	m.task = t
	go func() { t.done <- run(ctx, t) }()
}

// leave ends the current task, and reports whether there was one. Its result does not
// count any more.
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
	return !changes || m.batch.SetInFlight() // a request that changes nothing is never in doubt
}

// eventOf translates the fate of a request into the resolver's terms.
var eventOf = map[remote.Fate]ledger.EventKind{
	remote.Applied:  ledger.Applied,
	remote.Conflict: ledger.Conflict,
	remote.Declined: ledger.Declined,
	remote.Rejected: ledger.Rejected,
	remote.Unsent:   ledger.Unsent,
	remote.Withheld: ledger.Withheld,
	remote.Unclear:  ledger.Lost,
}

// sending returns a task that sends the request once.
func (m *commit) sending(changes bool) func(context.Context, *task) result {
	object, base := m.object, m.draft.base
	return func(ctx context.Context, t *task) result {
		answered := m.countRequest()
		answer, fate, err := m.remote.Update(ctx, object, func() bool { return m.maySend(t, changes) }, func() { m.feed.suspect(ctx) })
		r := result{Event: ledger.Event{Kind: eventOf[fate], Err: err}, took: answered(fate)}
		if fate == remote.Applied {
			r.applied = newSnapshot(answer)
			r.undone = changesData(object, base.object) && maps.Equal(r.applied.data, base.data)
		}
		return r
	}
}

// changesData reports whether the entries of a and b differ.
func changesData(a, b *corev1.ConfigMap) bool {
	return !maps.Equal(a.Data, b.Data) || !maps.EqualFunc(a.BinaryData, b.BinaryData, bytes.Equal)
}

// read is a task that brings the copy up to date.
func (m *commit) read(ctx context.Context, _ *task) result {
	if err := m.feed.refresh(ctx, remote.Once); err != nil {
		return result{Event: ledger.Event{Kind: ledger.ReadFailed, Err: err}}
	}
	return result{Event: ledger.Event{Kind: ledger.Read, Version: m.local.load().version()}}
}
