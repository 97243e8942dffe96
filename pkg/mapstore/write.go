package mapstore

import (
	"context"
	"fmt"
)

// Set makes value the value of key. Values are bytes of any kind: text is
// stored where kubectl shows it, anything else as binary data.
//
// Set returns nil when the write is durable; every later read on this store
// then sees it. Its errors are those of [Store.Update].
func (s *Store) Set(ctx context.Context, key, value string) error {
	_, err := s.set(ctx, key, value)
	return err
}

func (s *Store) set(ctx context.Context, key, value string) (*Snapshot, error) {
	if err := validateKey(key); err != nil {
		return nil, err
	}
	if len(value) > maxValueBytes {
		return nil, fmt.Errorf("%w: a value of %d bytes, of %d for all", ErrTooLarge, len(value), maxValueBytes)
	}
	return s.committer.do(ctx, func(tx *Tx) error {
		tx.Set(key, value)
		return nil
	})
}

// Delete removes key; an absent key is no error. Its errors are those of
// [Store.Update].
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := validateKey(key); err != nil {
		return err
	}
	_, err := s.committer.do(ctx, func(tx *Tx) error {
		tx.Delete(key)
		return nil
	})
	return err
}

// Clear removes all keys. The ConfigMap stays. Its errors are those of
// [Store.Update].
func (s *Store) Clear(ctx context.Context) error {
	_, err := s.committer.do(ctx, func(tx *Tx) error {
		tx.Clear()
		return nil
	})
	return err
}

// Update runs fn as a transaction and returns the version of the map that
// contains it. Transactions are serializable, over all processes: the result is
// as if they had run one after the other.
//
// fn reads and writes the [Tx]. It runs in the caller's goroutine, maybe
// several times; exactly one run takes effect, on a committed state. One that finds
// what another transaction of the same request has written takes effect only
// together with that, and so does the error that it returns.
// So it should be quick, since other writers of this store wait meanwhile,
// should have no effect but on the Tx, and must not write to the same store by
// other means, which would wait for itself. When it returns an error, nothing
// is applied and Update returns that error; when it panics, so does Update. A
// transaction that changes nothing is still confirmed by the API server.
//
// Update waits its turn, and retries after conflicts and while the server
// cannot be reached, until ctx ends or, when ctx has no deadline, for
// [Options].WriteTimeout. Possible errors:
//
//   - [ErrInvalidArgument]: fn is nil.
//   - [ErrInvalidKey], [ErrTooLarge], [ErrImmutable]: found in the local copy,
//     before anything was sent. After somebody else has made room, or the map
//     anew, these end as soon as the copy shows that.
//   - [ErrClosed]: the store is closed.
//   - ctx's error alone: not applied. The error also says what was in the way.
//   - [ErrUnknownOutcome]: sent, and the answer was lost; with ctx's error when that ended first.
//   - What the API server said, for instance Forbidden: not applied.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (*Snapshot, error) {
	if fn == nil {
		return nil, fmt.Errorf("%w: the function is nil", ErrInvalidArgument)
	}
	return s.committer.do(ctx, fn)
}
