package mapstore

import (
	"context"
	"fmt"
)

// Set makes value the value of key. A value may have any bytes: valid UTF-8 is stored
// where kubectl shows it, anything else as binary data.
//
// When Set returns nil, the write is durable, and every later read on this store sees
// it. It returns the errors of [Store.Update].
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
	return s.write(ctx, func(tx *Tx) error {
		tx.Set(key, value)
		return nil
	})
}

// Delete removes key. An absent key is no error. It returns the errors of
// [Store.Update].
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := validateKey(key); err != nil {
		return err
	}
	_, err := s.write(ctx, func(tx *Tx) error {
		tx.Delete(key)
		return nil
	})
	return err
}

// Clear removes all keys. The ConfigMap stays. It returns the errors of [Store.Update].
func (s *Store) Clear(ctx context.Context) error {
	_, err := s.write(ctx, func(tx *Tx) error {
		tx.Clear()
		return nil
	})
	return err
}

// Update runs fn as a transaction and returns the version of the map that contains it.
// Transactions are serializable across all processes: the result is as if they had run
// one after the other.
//
// fn reads and writes the [Tx]. It runs in the caller's goroutine, maybe several times;
// exactly one run takes effect, on a committed state. A run may see what another
// transaction in the same request has written. Then the run, or the error that it
// returns, takes effect only together with that transaction.
//
// fn should be quick, since other writers of this store wait meanwhile. It should have
// no effect except on the Tx. It must not write to the same store in any other way: that
// write would wait for fn itself. If fn returns an error, nothing is applied and Update
// returns that error; if fn panics, so does Update. The API server confirms even a
// transaction that changes nothing.
//
// Update waits its turn, and retries after conflicts and while the server cannot be
// reached. It does so until ctx ends or, if ctx has no deadline, for
// [Options].WriteTimeout. Possible errors:
//
//   - [ErrInvalidArgument]: fn is nil.
//   - [ErrInvalidKey], [ErrTooLarge], [ErrImmutable]: found in the local copy, before
//     anything was sent. If somebody else makes room, or recreates the map, writes
//     succeed again as soon as the copy shows that.
//   - [ErrClosed]: the store is closed.
//   - ctx's error without ErrUnknownOutcome: not applied. The error also says what was
//     in the way.
//   - [ErrUnknownOutcome]: the request was sent and its answer was lost. If ctx ended
//     first, its error is in the chain too.
//   - The API server's error, for instance Forbidden: not applied.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (*Snapshot, error) {
	if fn == nil {
		return nil, fmt.Errorf("%w: the function is nil", ErrInvalidArgument)
	}
	return s.write(ctx, fn)
}

// write runs a transaction, and returns when it has an outcome, which the Views show too.
func (s *Store) write(ctx context.Context, fn func(*Tx) error) (*Snapshot, error) {
	written, err := s.committer.do(ctx, fn)
	if err == nil {
		s.views.settle(ctx, s.Snapshot()) // not written, which may not have its place in the sequence
	}
	return written, err
}
