package mapstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// A link is the state of the connection to the API server.
type link struct {
	started bool
	synced  bool      // the map has been listed and a watch opened, once
	err     error     // why the last attempt to list or watch failed; nil if it did not
	since   time.Time // when attempts began to fail
	denied  time.Time // when the server began to deny access; zero if it does not
	ended   time.Time // when the watch ended; zero while it is open

	recovered time.Time // when the last outage ended; zero if there was none
}

// denialGrace is how long the server must deny access before that counts as final. A
// right takes a moment to take effect after it was granted, and a server that has just
// started denies everything for a second or two.
const denialGrace = 3 * time.Second

func (l link) deniedForLong() bool {
	return !l.denied.IsZero() && time.Since(l.denied) >= denialGrace
}

// isSettled reports whether a server that denies something means it: one that has just
// been started knows of no rights for a second or two.
func (l link) isSettled() bool { return l.err == nil && time.Since(l.recovered) >= denialGrace }

var (
	errNotStarted = errors.New("Start has not been called")
	errNotSynced  = errors.New("waiting for the API server's answer")
)

// obstacle returns what keeps the copy from following the server; nil if nothing.
func (l link) obstacle() error {
	switch {
	case l.err != nil:
		return l.err
	case !l.started:
		return errNotStarted
	case !l.synced:
		return errNotSynced
	}
	return nil
}

// heard notes that the server has sent an answer or a watch event.
func (src *source) heard() {
	now := time.Now()
	src.contact.Store(&now)
}

// connected notes that a watch is open.
func (src *source) connected() {
	before := src.link.Load()
	if before.err != nil {
		src.options.Logger.Info("Following the API server again", "after", time.Since(before.since).Round(time.Millisecond).String())
	}
	after := link{started: true, synced: true, recovered: before.recovered}
	if before.err != nil {
		after.recovered = time.Now()
	}
	src.link.Store(after)
}

// disconnected notes that the watch has ended, for whatever reason.
func (src *source) disconnected() {
	next := src.link.Load()
	next.ended = time.Now()
	src.link.Store(next)
}

// failed notes that an attempt to list or watch has failed with err, unless err is nil.
// It returns err.
func (src *source) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil { // if ctx has ended, the store is closing
		return err
	}
	next := src.link.Load()
	if next.err == nil {
		next.since = time.Now()
		src.options.Logger.Info("Cannot follow the API server; serving the last known state", "reason", discreet(err))
	}
	next.err = err
	if !remote.IsDenied(err) {
		next.denied = time.Time{}
	} else if next.denied.IsZero() {
		next.denied = time.Now()
	}
	src.link.Store(next)
	return err
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
