package mapstore

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"time"

	"k8s.io/client-go/rest"
)

// A patience bounds an inquiry: a request that only reads, so that it can be
// given up and made again at any time.
type patience struct {
	connected time.Duration // until there is a connection
	answered  time.Duration // until there is an answer
}

var (
	// patient is who needs the answer and will not ask again by itself.
	patient = patience{10 * time.Second, 10 * time.Second}

	// impatient is who asks again and again until the server can be followed. It
	// does not wait long for a connection, so that the first attempt after a
	// network has healed is not late because the one before still waits for an
	// answer to what was lost.
	impatient = patience{2 * time.Second, 5 * time.Second}
)

var (
	errUnreachable = errors.New("no connection to the API server")
	errSilent      = errors.New("no answer from the API server")
)

// inquire makes an inquiry, which is given up by way of cancel, ctx's own.
func (r *remote) inquire(ctx context.Context, cancel context.CancelCauseFunc, p patience, request func(context.Context) error) error {
	unconnected := time.AfterFunc(p.connected, func() { cancel(fmt.Errorf("%w within %v", errUnreachable, p.connected)) })
	defer unconnected.Stop()
	unanswered := time.AfterFunc(p.answered, func() { cancel(fmt.Errorf("%w within %v", errSilent, p.answered)) })
	defer unanswered.Stop()
	err := request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { unconnected.Stop() },
	}))
	if cause := context.Cause(ctx); err != nil && (errors.Is(cause, errUnreachable) || errors.Is(cause, errSilent)) {
		r.hangUp()
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// hangUp closes the connections that nobody uses any more, so that the next
// request makes a new one. It may be the connection that is dead, not the server:
// client-go would find out by itself after 45 seconds.
func (r *remote) hangUp() {
	if client, ok := r.client.CoreV1().RESTClient().(*rest.RESTClient); ok && client != nil && client.Client != nil {
		client.Client.CloseIdleConnections()
	}
}
