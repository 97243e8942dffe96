package mapstore

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

// A link is the state of the connection to the API server.
type link struct {
	started bool
	synced  bool      // the map has been listed and a watch opened, once
	err     error     // why the last attempt to list or watch failed; nil if it did not
	since   time.Time // when attempts began to fail
	heard   time.Time // when the server was heard of last before that
	denied  time.Time // when the server began to deny access; zero if it does not
	asked   time.Time // when the attempt that err is of began
	ended   time.Time // when the watch ended; zero while it is open

	recovered time.Time // when the last outage ended; zero if there was none
}

// denialGrace is how long the server must deny access before that counts as final. A
// right takes a moment to take effect after it was granted, and a server that has just
// started denies everything for a second or two.
const denialGrace = 3 * time.Second

// watchGrace is how long the watch may take to bring a version. After that the server
// is asked: the watch may be cut off, or may never bring anything, because the revision
// of an absent map is the cluster's and not of a version of the map.
const watchGrace = time.Second

// isDenial reports whether the server means it that it denies access, and has said so to
// an attempt that began after since: rights may have been granted before.
func (l link) isDenial(since time.Time) bool {
	return !l.denied.IsZero() && time.Since(l.denied) >= denialGrace && l.asked.After(since)
}

// isSettled reports whether a server that denies something means it: one that has just
// been started knows of no rights for a second or two.
func (l link) isSettled() bool { return l.err == nil && time.Since(l.recovered) >= denialGrace }

var (
	errNotStarted = errors.New("Start has not been called")
	errNotSynced  = errors.New("the watch is not open yet")
)

// obstacle returns what keeps the copy from following the server; nil if nothing does
// according to l.
func (src *source) obstacle(l link) error {
	waits := src.remote.WaitsFor(false)
	switch {
	case l.err != nil && errors.Is(waits, remote.ErrThrottled):
		return followedBy(l.err, waits)
	case l.err != nil:
		return l.err
	case !l.started:
		return errNotStarted
	case !l.synced:
		return cmp.Or(waits, errNotSynced)
	}
	return nil
}

// awaitSync blocks until the first sync, and returns why there is none, if ctx ends first or
// the server denies access.
func (src *source) awaitSync(ctx context.Context, asked time.Time, what string) error {
	l, err := src.link.Wait(ctx, func(l link) bool { return l.synced || l.isDenial(asked) })
	switch {
	case errors.Is(err, watch.ErrClosed):
		return ErrClosed
	case l.synced:
		return nil
	case err == nil:
		return fmt.Errorf("mapstore: %s/%s is not synced: %w", src.remote.Namespace(), what, l.err)
	default:
		return fmt.Errorf("mapstore: %s/%s is not synced: %w: %w", src.remote.Namespace(), what, err, src.obstacle(l))
	}
}

// followedBy returns what was met before, and what is waited for now. Either may be nil.
func followedBy(before, now error) error {
	if before == nil || now == nil {
		return cmp.Or(before, now)
	}
	return fmt.Errorf("%w; now %w", before, now)
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
