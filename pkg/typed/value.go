package typed

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Value is one key of a [mapstore.Store] as a T, decoded once for each new text. [Bind]
// makes a Value; its methods may be called from any goroutine.
//
// All callers of Load share what it returns: if T is, or contains, a pointer, a map or a
// slice, do not change that.
//
// Each new text is decoded in a goroutine of its own. Reads and writes of the store that
// return, and callbacks that begin, wait for that, within a limit: see the package
// documentation.
type Value[T any] struct {
	bound    *bound[T]
	key      string
	codec    Codec[T]
	fallback T
	options  Option

	// checked is what a Set or Update under way decoded last, to check what it writes. It
	// is kept so that the text need not be decoded again when it arrives.
	checked atomic.Pointer[state[T]]
}

// Bind follows one key of the store as a T. Before it returns, it decodes the current
// value in the caller's goroutine, so what Load returns is as current as the store. The
// store need not be started or synced: until then, Load returns fallback.
//
// Load returns
//   - fallback, if the map does not have the key, unless an option changes that;
//   - what the key's text decodes to, if the map has the key;
//   - the last good value, or fallback if there has been none, if codec rejects the
//     text. Until the key is deleted or has a good value, Err then says why and
//     [mapstore.Status].Rejected names the key. The log has a line when a text is first
//     rejected, and one when that is over.
//
// Any number of Values may be bound to one key, independently of each other. A Value
// costs a subscription. It ends with its own Close or the store's. A Value that is bound
// to a closed store keeps the last known state. A key that no map can have is always
// absent.
//
// Bind panics when store or codec's Decode is nil.
//
// [Keep] and [Required] change what a missing key means.
func Bind[T any](store *mapstore.Store, key string, codec Codec[T], fallback T, opts ...Option) *Value[T] {
	if store == nil || codec.Decode == nil {
		panic("typed: Bind with a nil store or codec")
	}
	same := func(a, b *state[T]) bool { return a.present == b.present && a.text == b.text }
	v := &Value[T]{
		bound:    newBound(store, key, &state[T]{value: fallback}, same),
		key:      key,
		codec:    codec,
		fallback: fallback,
	}
	for _, opt := range opts {
		v.options |= opt
	}
	v.bound.follow(v.examine)
	return v
}

// An Option of [Bind] says what it means that the map does not have the key. Somebody may
// delete a key by mistake, or replace the whole map, which deletes all keys for a moment.
type Option uint8

const (
	// Keep makes Load return the last good value when the key is gone. It returns
	// Bind's fallback only if there has been none.
	Keep Option = 1 << iota

	// Required makes a missing key a rejected value: Load returns the last good value,
	// as with Keep, and Err says that the key is missing. Also, as long as the key is
	// missing, or none of its texts has been good, [mapstore.Store.WaitForSync], Check
	// and [mapstore.Status].Err return [mapstore.ErrMissing], with the key. Pass the
	// zero T as the fallback: it is never used after WaitForSync has returned nil.
	Required
)

// Load returns the current value: the newest one that could be decoded, or Bind's
// fallback. It costs one atomic load, decodes nothing, never blocks and never fails.
// After Close it still returns the last value.
func (v *Value[T]) Load() T { return v.bound.load() }

// Err returns why the newest value was rejected, as a [RejectedError]; nil if it was not.
// For a key that no map can have, it returns [mapstore.ErrInvalidKey].
func (v *Value[T]) Err() error {
	if err := validateKey(v.key); err != nil {
		return err
	}
	return v.bound.err()
}

// OnChange calls fn with each change of what Load returns, until the
// subscription is stopped or the Value or the store is closed. It panics when fn
// is nil.
//
// The calls form a chain, as those of [mapstore.Store.OnChange] do: the first leads from
// Bind's fallback to the current value, if the map has one, and each later one starts
// where the one before ended. There is one call at a time; changes that come during a
// call are merged, so a slow fn delays only itself. A change is a change of the text: fn
// is not called for a text that is the same or is rejected. fn may do all that a
// function given to Store.OnChange may do.
func (v *Value[T]) OnChange(fn func(old, new T)) *watch.Subscription {
	return v.bound.onChange(fn)
}

// WaitUntil blocks until what Load returns meets cond, and returns it. It calls cond in
// the caller's goroutine, first with the current value, which is Bind's fallback before
// the first sync, and then with newer values. It may skip values, but never the newest.
//
// It returns [mapstore.ErrInvalidArgument] for a nil cond, [mapstore.ErrClosed] when the
// Value or the store is closed, and otherwise ctx's error, with the reason if the copy
// is stale or the newest value is rejected.
func (v *Value[T]) WaitUntil(ctx context.Context, cond func(T) bool) (T, error) {
	return v.bound.waitUntil(ctx, cond)
}

// Set writes value. When it returns nil, the write is durable, and Load returns that
// value or a newer one. There is one exception: if another writer's text follows at once
// and is rejected, Load may still return what was good before both, since the store may
// not have seen the version in between.
//
// Set decodes the encoded value before it sends anything, so that nobody writes what
// cannot be read. Load then returns what was decoded, which shares nothing with value.
// The codec runs in the caller's goroutine: if it blocks, it delays only Set, even when
// ctx has ended. Possible errors, besides those of [mapstore.Store.Set]:
//
//   - [ErrRejected], as a [RejectedError]: value cannot be encoded, or its encoding is
//     rejected. Nothing was sent.
//   - [mapstore.ErrInvalidArgument]: the codec has no Encode.
//   - [mapstore.ErrClosed]: the Value is closed, or the store.
func (v *Value[T]) Set(ctx context.Context, value T) error {
	if err := v.writable(); err != nil {
		return err
	}
	defer v.checked.Store(nil) // the text may go before the Value does
	text, err := v.encode(value)
	if err != nil {
		return err
	}
	written, err := v.bound.store.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set(v.key, text)
		return nil
	})
	if err == nil {
		v.catchUp(written)
	}
	return err
}

// Update writes what fn makes of the current value, as a transaction: if somebody else
// has written meanwhile, fn runs again, on what they wrote. When Update returns nil, the
// write is durable, and Load returns that value or a newer one.
//
// If Decode makes a new T each time, each run of fn gets a T of its own, which it may
// change and return. If the map does not have the key, fn gets Bind's fallback: a copy
// made by the codec, or the fallback itself if the codec cannot copy it.
//
// fn must do what [mapstore.Store.Update] asks of its function. So must the codec, which
// runs as part of the transaction: if it blocks, it delays all writers of the store, and
// Update itself even when ctx has ended.
//
// If the current value is rejected, fn does not run: it could only overwrite what it has
// not seen. Update then returns a [RejectedError] and changes nothing; Set overwrites
// such a value. If fn returns an error, nothing is applied and Update returns that
// error; if fn panics, so does Update. The other errors are those of Set and of
// Store.Update.
func (v *Value[T]) Update(ctx context.Context, fn func(T) (T, error)) error {
	if fn == nil {
		return fmt.Errorf("%w: the function is nil", mapstore.ErrInvalidArgument)
	}
	if err := v.writable(); err != nil {
		return err
	}
	defer v.checked.Store(nil) // as in Set
	written, err := v.bound.store.Update(ctx, func(tx *mapstore.Tx) error {
		current, err := v.fresh(tx.Get(v.key))
		if err != nil {
			return err
		}
		next, err := fn(current)
		if err != nil {
			return err
		}
		text, err := v.encode(next)
		if err != nil {
			return err
		}
		tx.Set(v.key, text)
		return nil
	})
	if err == nil {
		v.catchUp(written)
	}
	return err
}

// Close ends the Value: once it has returned, none of its callbacks runs. Called from
// inside a callback, it does not wait for the others; each ends with its current call.
// Close waits for a codec that blocks. After Close, Load and Err keep what they return,
// and Set and Update return [mapstore.ErrClosed]. Close may be called more than once.
func (v *Value[T]) Close() { v.bound.close() }

// examine brings the Value up to a version of the map.
func (v *Value[T]) examine(sequence uint64, now mapstore.Reader) {
	// Load these before isOld: whatever makes this version old also replaces them, and
	// then the text would be decoded again.
	current, checked := v.bound.states.Load(), v.checked.Load()
	if v.bound.isOld(sequence) {
		return
	}
	next := finding[T]{state: state[T]{value: v.fallback}, good: true}
	switch next.text, next.present = now.Get(v.key); {
	case next.present:
		next.fail(v.key, next.text, errEnded)              // unless the codec returns:
		defer func() { v.bound.publish(sequence, next) }() // this runs in any case
		if value, err := v.decode(next.text, current, checked); err != nil {
			next.fail(v.key, next.text, err)
		} else {
			next = finding[T]{state: state[T]{value: value, text: next.text, present: true}, good: true}
		}
		if next.err != nil && v.options&Required != 0 && !current.present {
			next.missing = []string{v.key}
		}
		return
	case v.options&Required != 0:
		next.fail(v.key, "", errMissing)
		next.missing = []string{v.key}
	case v.options&Keep != 0:
		next.good = false // no news of the value, and nothing is wrong
	}
	v.bound.publish(sequence, next)
}

// decode returns the value of text. It does not decode it again if it is the text that
// was current, rejected or written last.
func (v *Value[T]) decode(text string, now, checked *state[T]) (T, error) {
	switch {
	case now.present && now.text == text:
		return now.value, nil
	case now.err != nil && now.refused == text && now.err.Cause != errMissing: //nolint:errorlint // examine sets it bare
		return now.value, now.err.Cause
	case checked != nil && checked.text == text:
		return checked.value, nil
	}
	return v.codec.decode(text)
}

// encode returns the text of value, after checking that it can be decoded.
func (v *Value[T]) encode(value T) (string, error) {
	text, decoded, err := v.codec.encode(value)
	if err != nil {
		return "", rejectedBy(v.key, err)
	}
	v.checked.Store(&state[T]{value: decoded, text: text})
	return text, nil
}

// fresh returns a new T for text, or for the fallback if there is no text.
func (v *Value[T]) fresh(text string, present bool) (T, error) {
	if !present {
		if _, copied, err := v.codec.encode(v.fallback); err == nil {
			return copied, nil
		}
		return v.fallback, nil
	}
	value, err := v.codec.decode(text)
	if err != nil {
		return value, rejectedBy(v.key, err)
	}
	return value, nil
}

// catchUp makes Load at least as new as what was written. It first examines the version
// that was written, in case newer ones are rejected.
func (v *Value[T]) catchUp(written *mapstore.Snapshot) {
	v.examine(written.Sequence(), written)
	now := v.bound.store.Snapshot()
	v.examine(now.Sequence(), now)
}

func (v *Value[T]) writable() error {
	switch {
	case v.codec.Encode == nil:
		return fmt.Errorf("%w: the codec of %.300q cannot encode", mapstore.ErrInvalidArgument, v.key)
	case v.bound.isClosed():
		return mapstore.ErrClosed
	}
	return validateKey(v.key)
}

// validateKey returns [mapstore.ErrInvalidKey] for a key that no map can have.
func validateKey(key string) error {
	if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
		return fmt.Errorf("%w: %.300q: %s", mapstore.ErrInvalidKey, key, strings.Join(problems, ", "))
	}
	return nil
}
