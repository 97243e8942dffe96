package typed

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/unrolled/mapstore/v2/pkg/internal/panics"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// ErrRejected is returned when a value cannot be decoded or encoded, or is invalid. The
// error is then a [RejectedError], which says why.
var ErrRejected = errors.New("mapstore: value rejected")

// A RejectedError says why a value was rejected. [ErrRejected] and Cause are in
// its chain.
type RejectedError struct {
	// Name is the key, or for [Derive] the type in parentheses.
	Name string

	// Reason says what is wrong without quoting the value. It contains the texts of
	// this package's codecs and of [Reject]. For any other error it contains only the
	// type, and a hint at Reject.
	Reason string

	// Cause is what the codec, the validation or Derive's function returned. Its text
	// may quote the value, so the text of Error does not contain it.
	Cause error

	required bool // by Need
}

// Error returns the name and the reason.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrRejected, e.Name, e.Reason)
}

// GoString returns Error in Go syntax, for the verb %#v, which would print the cause.
func (e *RejectedError) GoString() string {
	return fmt.Sprintf("typed.RejectedError(%q)", e.Error())
}

// Unwrap returns [ErrRejected] and the cause.
func (e *RejectedError) Unwrap() []error { return []error{ErrRejected, e.Cause} }

// Reject returns an error for your own codec or validation to return, bare or wrapped.
// [Value.Err] and the log show its text. They leave out the text of other errors, which
// may quote the value. So reason must not quote it: say "must be below 1024", not what
// the value is.
func Reject(reason string) error { return safeText(reason) }

// A safeText is an error whose text quotes no value.
type safeText string

func (r safeText) Error() string { return string(r) }

func rejectedBy(name string, cause error) *RejectedError {
	var reasons []string
	if failed, ok := cause.(*encodeError); ok { //nolint:errorlint // encode returns it bare
		reasons, cause = reasonsOf(failed.what), failed.cause
	}
	reasons = append(reasons, reasonsOf(cause)...)
	return &RejectedError{Name: name, Reason: strings.Join(reasons, "; "), Cause: cause}
}

// reasonsOf returns what may be shown of err: the texts in it that are known to quote
// nothing, or else its type. Of errors that are joined, it returns what may be shown of
// each.
func reasonsOf(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && reflect.TypeOf(err) == joinError {
		var all []string
		for _, err := range joined.Unwrap() {
			all = append(all, reasonsOf(err)...)
		}
		return slices.Compact(all)
	}
	var known []string
	for leaf := range leaves(err) {
		switch leaf := leaf.(type) { //nolint:errorlint // a leaf wraps nothing
		case safeText:
			known = append(known, string(leaf))
		case *RejectedError:
			known = append(known, leaf.Name+": "+leaf.Reason)
		case *panicked:
			known = append(known, leaf.Error())
		}
	}
	if len(known) == 0 {
		known = []string{fmt.Sprintf("an error of type %T (Reject makes one whose text is shown)", err)}
	}
	return slices.Compact(known)
}

var joinError = reflect.TypeOf(errors.Join(errMissing))

// keysAtFault returns the keys that err names, sorted, if it consists only of
// RejectedErrors.
func keysAtFault(err error) []string {
	var keys []string
	for leaf := range leaves(err) {
		rejected, ok := leaf.(*RejectedError) //nolint:errorlint // a leaf wraps nothing
		if !ok {
			return nil
		}
		keys = append(keys, rejected.Name)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// reasonsByKey returns what err, which consists only of RejectedErrors, says of each key.
func reasonsByKey(err error) map[string]string {
	reasons := make(map[string]string)
	for leaf := range leaves(err) {
		if rejected, ok := leaf.(*RejectedError); ok { //nolint:errorlint // a leaf wraps nothing
			reasons[rejected.Name] = rejected.Reason
		}
	}
	return reasons
}

// missingKeys returns the keys in err that are required and have no good text: they are
// missing, or they have had none in last either.
func missingKeys(err error, last mapstore.Reader) []string {
	var keys []string
	for leaf := range leaves(err) {
		rejected, ok := leaf.(*RejectedError) //nolint:errorlint // a leaf wraps nothing
		if !ok {
			continue
		}
		_, hasLast := last.Get(rejected.Name)
		if rejected.Cause == errMissing || rejected.required && !hasLast { //nolint:errorlint // Need sets it bare
			keys = append(keys, rejected.Name)
		}
	}
	return keys
}

// withoutKept returns err without what only asks for last good values; nil if nothing is
// left.
func withoutKept(err error) error {
	var wrong []error
	found := false
	for leaf := range leaves(err) {
		if rejected, ok := leaf.(*RejectedError); ok && rejected.Cause == errKept { //nolint:errorlint // a leaf wraps nothing, and Struct sets it bare
			found = true
		} else {
			wrong = append(wrong, leaf)
		}
	}
	if !found {
		return err
	}
	return errors.Join(wrong...)
}

// leaves iterates over the innermost errors in err. It does not look into a
// RejectedError.
func leaves(err error) func(yield func(error) bool) {
	return func(yield func(error) bool) { visit(err, yield) }
}

func visit(err error, yield func(error) bool) bool {
	if _, ok := err.(*RejectedError); !ok { //nolint:errorlint // this is what takes chains apart
		switch e := err.(type) { //nolint:errorlint // likewise
		case interface{ Unwrap() error }:
			if next := e.Unwrap(); next != nil {
				return visit(next, yield)
			}
		case interface{ Unwrap() []error }:
			for _, next := range e.Unwrap() {
				if next != nil && !visit(next, yield) {
					return false
				}
			}
			return true
		}
	}
	return yield(err)
}

// errEnded is the error of a codec or function that ended its goroutine.
var errEnded = Reject("the codec has ended its goroutine")

var (
	// errMissing rejects the absence of a key that is required.
	errMissing = Reject("the key is missing")

	// errKept asks Derive for the last good value of a key that is missing.
	errKept = Reject("the key is gone")
)

// An encodeError says why a value cannot be written, and which step failed.
type encodeError struct{ what, cause error }

func (e *encodeError) Error() string { return e.what.Error() + ": " + e.cause.Error() }

// recovering calls fn, and turns its panic into an error.
func recovering[A, B any](fn func(A) (B, error), argument A) (result B, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = &panicked{panics.Describe(recovered), debug.Stack()}
		}
	}()
	return fn(argument)
}

// A panicked is the error of a function that panicked.
type panicked struct {
	what  string // a description that quotes nothing: see package panics
	stack []byte
}

func (p *panicked) Error() string { return "panic: " + p.what }
