package mapstore

import (
	"errors"
	"fmt"
	"time"
)

// Errors that the methods of a [Store] return; test for them with [errors.Is]. The
// error of the API server or the network stays in the chain, so that
// apierrors.IsForbidden(err) and errors.Is(err, context.DeadlineExceeded) work too. No
// error contains a value of the map.
var (
	// ErrInvalidName is returned when a ConfigMap's name or namespace is empty or
	// not valid in Kubernetes.
	ErrInvalidName = errors.New("mapstore: invalid name")

	// ErrInvalidKey is returned when a write names a key that a ConfigMap cannot
	// have. A key has 1 to 253 letters, digits, '-', '_' and '.'; it is not "." and
	// does not begin with "..".
	ErrInvalidKey = errors.New("mapstore: invalid key")

	// ErrInvalidArgument is returned when a required argument is nil, or an
	// option or revision is malformed.
	ErrInvalidArgument = errors.New("mapstore: invalid argument")

	// ErrTooLarge is returned when a write would make the map larger than a
	// ConfigMap may be: more than 1,048,576 bytes of values, or, with keys and
	// metadata, more than etcd accepts in one request.
	ErrTooLarge = errors.New("mapstore: map too large")

	// ErrImmutable is returned when a write would change a ConfigMap that is
	// marked as immutable. Only deleting and recreating it can change it.
	ErrImmutable = errors.New("mapstore: map is immutable")

	// ErrMissing is returned when the copy is current and lacks what a [View]
	// requires, such as a required Value of package typed.
	ErrMissing = errors.New("mapstore: required and missing")

	// ErrUnknownOutcome is returned when a write was sent, its answer was
	// lost, and it could not be found out whether it was applied. Every other
	// error of a write means that it was not applied.
	ErrUnknownOutcome = errors.New("mapstore: outcome unknown, the write may have been applied")

	// ErrClosed is returned when the store is closed, or its Start has ended.
	ErrClosed = errors.New("mapstore: closed")
)

var (
	// errNotApplied begins the error of a write that was certainly not applied.
	errNotApplied = errors.New("mapstore: not applied")

	// errUndone is why a write was not applied though the server accepted it.
	errUndone = errors.New("the API server accepted the write but kept the map as it was; an admission policy can do that")

	errClosedBefore = fmt.Errorf("%w: not applied", ErrClosed)
)

// A Failure is a write that returned an error. It is zero if there was none.
type Failure struct {
	Time time.Time // when the call returned
	Err  error
}
