package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Link is the state of the connection to the API server.
type Link struct {
	Synced bool  // the map has been listed and a watch opened, once
	Err    error // why the last attempt to list or watch failed; nil if it did not

	started bool
	since   time.Time // when attempts began to fail
	heard   time.Time // when the server was heard of last before that
	denied  time.Time // when the server began to deny access; zero if it does not
	asked   time.Time // when the attempt that Err is of began
	ended   time.Time // when the watch ended; zero while it is open

	recovered time.Time // when the last outage ended; zero if there was none
}

// DenialGrace is how long the server must deny access before that counts as final. A
// right takes a moment to take effect after it was granted, and a server that has just
// started denies everything for a second or two.
const DenialGrace = 3 * time.Second

// IsDenial reports whether the server means it that it denies access, and has said so to
// an attempt that began after since: rights may have been granted before.
func (l Link) IsDenial(since time.Time) bool {
	return !l.denied.IsZero() && time.Since(l.denied) >= DenialGrace && l.asked.After(since)
}

// IsSettled reports whether a server that denies something means it: one that has just
// been started knows of no rights for a second or two.
func (l Link) IsSettled() bool { return l.Err == nil && time.Since(l.recovered) >= DenialGrace }

var (
	errNotStarted = errors.New("Start has not been called") //nolint:staticcheck // a method
	errNotSynced  = errors.New("the watch is not open yet")
)

// Obstacle returns what keeps the copy from following the server; nil if nothing does
// according to l.
func (src *Source) Obstacle(l Link) error {
	waits := src.remote.WaitsFor(false)
	switch {
	case l.Err != nil && errors.Is(waits, remote.ErrThrottled):
		return remote.FollowedBy(l.Err, waits)
	case l.Err != nil:
		return l.Err
	case !l.started:
		return errNotStarted
	case !l.Synced:
		return cmp.Or(waits, errNotSynced)
	}
	return nil
}

// AwaitSync blocks until the first sync, and returns why there is none, if ctx ends first or
// the server denies access to an attempt that began after asked. It returns [watch.ErrClosed] if
// Link is closed. The error calls what is to be synced what.
func (src *Source) AwaitSync(ctx context.Context, asked time.Time, what string) error {
	l, err := src.Link.Wait(ctx, func(l Link) bool { return l.Synced || l.IsDenial(asked) })
	switch {
	case errors.Is(err, watch.ErrClosed):
		return err
	case l.Synced:
		return nil
	case err == nil:
		return fmt.Errorf("mapstore: %s/%s is not synced: %w", src.remote.Namespace(), what, l.Err)
	default:
		return fmt.Errorf("mapstore: %s/%s is not synced: %w: %w", src.remote.Namespace(), what, err, src.Obstacle(l))
	}
}

// reconnectGrace is how long the source may be without a watch before Doubt says so. Servers
// end each watch after some minutes, and the next one is open within milliseconds.
const reconnectGrace = time.Second

// Doubt returns why the target may not be as the server is; nil if it is.
func (src *Source) Doubt(l Link) error {
	silent := time.Since(src.LastContact())
	switch {
	case l.Err != nil:
		return fmt.Errorf("mapstore: cannot follow the API server for %v: %w", time.Since(l.since).Round(time.Millisecond), src.Obstacle(l))
	case !l.Synced:
		return fmt.Errorf("mapstore: not synced yet: %w", src.Obstacle(l))
	case !l.ended.IsZero() && time.Since(l.ended) > reconnectGrace:
		return fmt.Errorf("mapstore: the watch ended %v ago, and the next one is not open yet", time.Since(l.ended).Round(time.Millisecond))
	case silent > src.options.StaleAfter:
		return fmt.Errorf("mapstore: the API server has been silent for %v", silent.Round(time.Second))
	}
	return nil
}

// discreet returns a text for err that may be logged. It may quote what an API server
// said, but not an answer that no API server has written.
func discreet(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		details := status.Status().Details
		if details != nil && slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool { return c.Type == metav1.CauseTypeUnexpectedServerResponse }) {
			return fmt.Sprintf("an unexpected answer with the status %d", status.Status().Code)
		}
		return err.Error()
	}
	var network net.Error // a url.Error is one
	if errors.As(err, &network) || errors.Is(err, context.Canceled) || remote.IsOurs(err) {
		return err.Error()
	}
	return fmt.Sprintf("an answer that cannot be read: %T", err)
}
