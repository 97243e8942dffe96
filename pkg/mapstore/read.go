package mapstore

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/internal/backoff"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Get returns the value of key in the local copy, and whether the map has it.
// It costs one atomic load and one map lookup, never blocks and never fails.
// Before the first sync the map is empty, or a backup's, and during an outage Get serves the
// last known state; [Store.Status] tells which. For several keys that belong
// together use one [Store.Snapshot].
func (s *Store) Get(key string) (string, bool) {
	value, ok := s.current.Load().data[key]
	return value, ok
}

// Snapshot returns the local copy. Like Get, it never blocks and never fails.
func (s *Store) Snapshot() *Snapshot { return s.current.Load() }

// Sync reads the map from the API server with a quorum read, brings the local copy up
// to date, and returns it. The copy then contains every write that anybody completed
// before the call (linearizable). Sync makes one attempt.
//
// It returns the error of the API server or the network, ctx's error when ctx ends
// first, and [ErrClosed] when the store is closed. After an error the copy is
// unchanged.
func (s *Store) Sync(ctx context.Context) (*Snapshot, error) {
	ctx, done, err := s.call(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.feed.refresh(ctx, remote.Once); err != nil {
		s.feed.source.Met(err)
		if cause := context.Cause(ctx); errors.Is(cause, ErrClosed) {
			err = cause
		}
		return nil, fmt.Errorf("mapstore: cannot read %s/%s: %w", s.remote.Namespace(), s.remote.Name(), err)
	}
	return s.settled(ctx, s.local.load()), nil
}

// WaitFor blocks until the local copy is at least as new as revision, and returns the
// copy. The revision may come from any process: it may be the [Snapshot.Revision] of what
// Update returned there, for instance. The empty revision means any.
//
// It returns [ErrInvalidArgument] for a malformed revision, [ErrClosed] when the store
// is closed, and otherwise ctx's error, with the reason why the copy is stale if that
// is known.
func (s *Store) WaitFor(ctx context.Context, revision string) (*Snapshot, error) {
	if revision != "" {
		if _, err := resourceversion.CompareResourceVersion(revision, revision); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
		}
	}
	isThere := func(now *Snapshot) bool { return revision == "" || !remote.Older(now.revision, revision) }
	retry := backoff.New(s.options.MaxBackoff)
	var last error // what the server said when it was asked
	for grace := watchGrace; ; grace = retry.Next() {
		soon, cancel := context.WithTimeout(ctx, grace)
		snapshot, err := s.wait(soon, "revision "+revision, isThere)
		cancel()
		if err == nil {
			return s.settled(ctx, snapshot), nil
		}
		if ctx.Err() != nil && last != nil {
			err = fmt.Errorf("%w: %w", err, last)
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return snapshot, err
		}
		// It may be a version of the map, which the watch will bring; or one of another
		// object, as of an absent map, which the server comes to know of.
		reached, err := s.hasReached(ctx, revision)
		if reached {
			return s.settled(ctx, s.local.load()), nil
		}
		last = err
	}
}

// hasReached asks the server whether its own revision has reached revision, and brings
// the copy up to date.
func (s *Store) hasReached(ctx context.Context, revision string) (bool, error) {
	ctx, done, err := s.call(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	list, _, err := s.feed.list(ctx, remote.Once)
	return err == nil && !remote.Older(list.ResourceVersion, revision), err
}

// WaitUntil blocks until a version of the map meets cond, and returns that version. It
// calls cond in the caller's goroutine, first with the current version, once there is
// one, and then with newer versions. It may skip versions, but never the newest.
//
// It returns the errors of WaitFor, and [ErrInvalidArgument] for a nil cond.
func (s *Store) WaitUntil(ctx context.Context, cond func(*Snapshot) bool) (*Snapshot, error) {
	if cond == nil {
		return nil, fmt.Errorf("%w: the condition is nil", ErrInvalidArgument)
	}
	snapshot, err := s.wait(ctx, "the condition", cond)
	if err != nil {
		return nil, err
	}
	return s.settled(ctx, snapshot), nil
}

func (s *Store) wait(ctx context.Context, what string, cond func(*Snapshot) bool) (*Snapshot, error) {
	snapshot, err := s.current.Wait(ctx, func(now *Snapshot) bool { return now.sequence > 0 && cond(now) })
	switch {
	case err == nil:
		return snapshot, nil
	case errors.Is(err, watch.ErrClosed):
		return nil, s.over
	}
	if stale := s.Status().Err; stale != nil {
		return nil, fmt.Errorf("mapstore: waiting for %s: %w: %w", what, err, stale)
	}
	return nil, fmt.Errorf("mapstore: waiting for %s: %w", what, err)
}

// settled returns the version once all Views have seen it.
func (s *Store) settled(ctx context.Context, now *Snapshot) *Snapshot {
	s.views.settle(ctx, now)
	return now
}
