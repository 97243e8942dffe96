package mapstore

import (
	"time"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Stats is what a store has done since it was made, and what is pending. The uint64
// fields only grow.
type Stats struct {
	// Versions counts the versions of the map that the copy has held, including the
	// absent map.
	Versions uint64
	// Resets counts the versions that did not continue the history of the one before.
	Resets uint64
	// Reconnects counts the watches that were opened after the first one. Servers end
	// each watch after some minutes.
	Reconnects uint64

	// Requests counts the requests that were sent to write. RequestTime is how long
	// they took in all, including those that were never answered.
	Requests    uint64
	RequestTime time.Duration
	// Commits counts the requests that were applied, or confirmed that there was
	// nothing to change.
	Commits uint64
	// Conflicts counts the requests that failed because somebody else had written.
	Conflicts uint64
	// StoodBack is how long writes have waited for the turns of other stores.
	StoodBack time.Duration
	// Unsigned counts the commits whose id has not arrived in the ledger, because an
	// admission policy removes it. Then a lost answer cannot be looked up.
	Unsigned uint64

	// Transactions counts the calls of Update, Set, Delete and Clear that returned
	// nil. One commit may carry many, because calls at the same time share a request.
	Transactions uint64
	// UnknownOutcomes counts the calls that returned ErrUnknownOutcome.
	UnknownOutcomes uint64
	// Aborted counts the calls that were ended by their own function: it returned an
	// error, panicked, or ended its goroutine.
	Aborted uint64
	// Failures counts the calls that returned any other error. Calls that were wrong
	// from the start, such as a Set of an invalid key, are not counted.
	Failures uint64
	// Queued is how many transactions wait for a request right now. It leaves out those
	// whose request is in flight.
	Queued int

	// Rejections counts the new texts that a [View], such as a Value or Derived of
	// package typed, has rejected.
	Rejections uint64

	// Backups counts how often the file that [Options].Backup names was written, and
	// BackupFailures the attempts that failed.
	Backups, BackupFailures uint64

	// Panics counts the panics of callbacks.
	Panics uint64
	// Subscriptions is how many subscriptions [Store.Subscriptions] returns: the
	// store's own and its views'. Loops over Changes do not count.
	Subscriptions int
	// Lag is the largest [watch.Subscription.Lag] of these subscriptions.
	Lag time.Duration
}

// Stats returns the current figures. It does no I/O.
func (s *Store) Stats() Stats {
	now, c := s.local.load(), s.committer
	stats := Stats{
		Versions:        now.sequence,
		Resets:          now.resets - s.local.resets,
		Reconnects:      s.feed.source.Reconnects(),
		Requests:        c.requests.Load(),
		RequestTime:     time.Duration(c.requestTime.Load()),
		Commits:         c.commits.Load(),
		Conflicts:       c.conflicts.Load(),
		StoodBack:       time.Duration(c.turns.stoodBack.Load()),
		Unsigned:        c.unsigned.Load(),
		Transactions:    c.transactions.Load(),
		UnknownOutcomes: c.unknown.Load(),
		Aborted:         c.aborted.Load(),
		Failures:        c.failures.Load(),
		Queued:          c.group.Queued(),
		Rejections:      s.views.rejections.Load(),
		Backups:         s.keeper.written.Load(),
		BackupFailures:  s.keeper.failures.Load(),
		Panics:          s.views.callbacks.panics.Load(),
	}
	for _, subscription := range s.Subscriptions() {
		stats.Subscriptions++
		stats.Lag = max(stats.Lag, subscription.Lag())
	}
	return stats
}

// add adds what a store of a family has done.
func (s *Stats) add(of Stats) {
	s.Requests += of.Requests
	s.RequestTime += of.RequestTime
	s.Commits += of.Commits
	s.Conflicts += of.Conflicts
	s.StoodBack += of.StoodBack
	s.Unsigned += of.Unsigned
	s.Transactions += of.Transactions
	s.UnknownOutcomes += of.UnknownOutcomes
	s.Aborted += of.Aborted
	s.Failures += of.Failures
	s.Rejections += of.Rejections
	s.Panics += of.Panics
}

// addBackups adds what a keeper has done; nil: nothing.
func (s *Stats) addBackups(k *keeper) {
	if k != nil {
		s.Backups += k.written.Load()
		s.BackupFailures += k.failures.Load()
	}
}

// Subscriptions returns the subscriptions of the store and of its views, in no
// particular order: those that [Store.OnChange] has made, named after their functions;
// for each [View], the one that calls See, with the View's name, and those of its Var.
func (s *Store) Subscriptions() []*watch.Subscription {
	return append(s.current.Subscriptions(), s.views.subscriptions()...)
}
