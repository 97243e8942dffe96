package typed

import (
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Codec turns the text of one key into a T and back. A codec of your own is two
// functions. They must be safe to call from any goroutine, and depend on nothing but
// their argument. If one returns an error, panics or ends its goroutine, that rejects
// the text.
//
// A codec that blocks delays its own [Value], callers who close that or the store, and for
// a second at most whoever waits for the order that the package documentation describes.
// In [Bind], [Value.Set] and [Value.Update] it runs in the caller's goroutine, where no
// ctx ends it. In Update it delays all writers of the store, like any function given to
// [mapstore.Store.Update].
//
// The codecs of this package quote no text in their errors. For your own, see
// [Reject].
type Codec[T any] struct {
	// Decode returns the value that text stands for. It should make a new T each
	// time, because others may still use a T that it returned before.
	Decode func(text string) (T, error)

	// Encode returns a text that Decode understands. If it is nil, values can only
	// be read.
	Encode func(value T) (string, error)

	shape Shape
}

// Validate returns a codec that also rejects a value if check returns an error for it or
// panics. The check is part of decoding. So it covers writing too, because values are
// decoded before they are sent. Validate panics when check or Decode is nil.
func (c Codec[T]) Validate(check func(T) error) Codec[T] {
	if check == nil || c.Decode == nil {
		panic("typed: Validate with a nil function or codec")
	}
	decode := c.Decode
	c.Decode = func(text string) (T, error) {
		value, err := decode(text)
		if err == nil {
			err = check(value)
		}
		return value, err
	}
	return c
}

// From decodes the value of key in r, for use in the function of [Derive] or of
// [mapstore.Store.Update]. If r has no such key, it returns fallback. If the value
// is rejected, it returns fallback and a [RejectedError].
func (c Codec[T]) From(r mapstore.Reader, key string, fallback T) (T, error) {
	text, ok := r.Get(key)
	if !ok {
		return fallback, nil
	}
	value, err := c.decode(text)
	if err != nil {
		return fallback, rejectedBy(key, err)
	}
	return value, nil
}

// Need is like From, for a key that must be there: if r does not have it, Need returns
// fallback and a [RejectedError]. In the function of [Derive], it makes the key required,
// as [Required] does: the last good value counts, or fallback if there has been none, and
// [mapstore.Store.WaitForSync] and Check return [mapstore.ErrMissing].
func (c Codec[T]) Need(r mapstore.Reader, key string, fallback T) (T, error) {
	if _, ok := r.Get(key); !ok && !isReplaced(r, key) {
		return fallback, rejectedBy(key, errMissing)
	}
	value, err := c.From(r, key, fallback)
	if rejected, ok := err.(*RejectedError); ok { //nolint:errorlint // From returns it bare
		rejected.required = true
	}
	return value, err
}

func (c Codec[T]) decode(text string) (T, error) { return recovering(c.Decode, text) }

// encode returns the text of value, and what that decodes to: a new value, which shares
// nothing with the caller's.
func (c Codec[T]) encode(value T) (text string, decoded T, err error) {
	text, err = recovering(c.Encode, value)
	if err != nil {
		return "", decoded, &encodeError{Reject("it cannot be encoded"), err}
	}
	decoded, err = c.decode(text)
	if err != nil {
		return "", decoded, &encodeError{Reject("its encoding is rejected"), err}
	}
	return text, decoded, nil
}
