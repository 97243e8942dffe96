package mapstore

import (
	"time"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Stats is what a store has done since it was made, and what is pending. The uint64
// fields only grow.
type Stats struct {
	// Versions of the map that the copy has held, the absent map among them.
	Versions uint64
	// Resets are versions that did not continue the history of the one before.
	Resets uint64
	// Reconnects are watches that were opened after the first one. Servers end
	// each watch after some minutes.
	Reconnects uint64

	// Requests are those that were sent to write, and RequestTime is how long
	// they took in all, the answers that never came included.
	Requests    uint64
	RequestTime time.Duration
	// Commits are the requests that were applied, or confirmed that there was
	// nothing to change.
	Commits uint64
	// Conflicts are the requests that somebody else's write made void.
	Conflicts uint64
	// Unsigned are the commits whose id has not arrived in the ledger, as an admission
	// policy takes it off. Then a lost answer cannot be looked up.
	Unsigned uint64

	// Transactions are the calls of Update, Set, Delete and Clear that returned
	// nil. As those that come at the same time share a request, there may be many
	// of them in a commit.
	Transactions uint64
	// UnknownOutcomes are the calls that returned ErrUnknownOutcome.
	UnknownOutcomes uint64
	// Aborted are the calls that their own function has ended: it returned an
	// error, panicked, or ended its goroutine.
	Aborted uint64
	// Failures are the calls that returned another error. Those that were wrong
	// from the start, such as a Set of an invalid key, are not counted.
	Failures uint64
	// Queued is how many transactions wait for a request right now. Those whose
	// request is in flight are not among them.
	Queued int

	// Rejections are the new texts that a [View], such as a Value or Derived of
	// package typed, has rejected.
	Rejections uint64

	// Panics are those of callbacks.
	Panics uint64
	// Subscriptions are those that [Store.Subscriptions] returns: those of the store
	// and of its views. Loops over Changes are not among them.
	Subscriptions int
	// Lag is that of the subscription that is furthest behind: see
	// [watch.Subscription.Lag].
	Lag time.Duration
}

// Stats returns the current figures. It does no I/O.
func (s *Store) Stats() Stats {
	now, c := s.local.load(), s.committer
	stats := Stats{
		Versions:        now.sequence,
		Resets:          now.resets,
		Reconnects:      max(s.source.watches.Load(), 1) - 1,
		Requests:        c.requests.Load(),
		RequestTime:     time.Duration(c.requestTime.Load()),
		Commits:         c.commits.Load(),
		Conflicts:       c.conflicts.Load(),
		Unsigned:        c.unsigned.Load(),
		Transactions:    c.transactions.Load(),
		UnknownOutcomes: c.unknown.Load(),
		Aborted:         c.aborted.Load(),
		Failures:        c.failures.Load(),
		Queued:          c.group.Queued(),
		Rejections:      s.views.rejections.Load(),
		Panics:          s.panics.Load(),
	}
	for _, subscription := range s.Subscriptions() {
		stats.Subscriptions++
		stats.Lag = max(stats.Lag, subscription.Lag())
	}
	return stats
}

// Subscriptions returns the subscriptions of the store and of its views, in no
// order: those that [Store.OnChange] has made, named after their functions; for
// each [View] the one that calls See, with the View's name; and those of its Var.
func (s *Store) Subscriptions() []*watch.Subscription {
	return append(s.current.Subscriptions(), s.views.subscriptions()...)
}
