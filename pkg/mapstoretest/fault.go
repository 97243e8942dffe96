package mapstoretest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/internal/memapi"
)

// A Fault is something that goes wrong with requests: on their way to the API server
// and back, or instead of its answer.
type Fault struct {
	name  string
	verbs []string // the verbs that can meet it; nil: all, and requests about something else

	// meet handles a request; nil for one that the server handles, as told by
	// denies and expires. It is called without a lock.
	meet func(f *Failure, r *http.Request, next http.RoundTripper) (*http.Response, error)

	breaks  bool // the connections of open watches
	hangs   bool // open watches bring nothing
	denies  bool
	expires bool
}

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
)

// Refused refuses connections: the API server or the network is down. No request is
// sent, and the client knows that. Connections of open watches break.
func Refused() Fault {
	return Fault{name: "Refused", breaks: true, meet: func(*Failure, *http.Request, http.RoundTripper) (*http.Response, error) {
		return nil, errRefused
	}}
}

// LostRequest breaks the connection after the request was sent and before the server
// has seen it. The request is not applied, and the client cannot know that.
func LostRequest() Fault {
	return Fault{name: "LostRequest", breaks: true, meet: func(_ *Failure, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		traceSent(r)
		return nil, errReset
	}}
}

// LostAnswer breaks the connection after the server has applied the request and
// before the client has the answer. The client cannot tell it from LostRequest.
//
// A store finds out that such a write was applied. To see it return
// mapstore.ErrUnknownOutcome, let it not reach the server until the ctx of the write
// ends:
//
//	api.FailNext(1, mapstoretest.LostAnswer(), "update")
//	api.Fail(mapstoretest.Refused(), "get", "list", "watch")
func LostAnswer() Fault {
	return Fault{name: "LostAnswer", breaks: true, meet: func(_ *Failure, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if memapi.Verb(r) != "watch" { // which has no end
			_, _ = io.Copy(io.Discard, response.Body)
		}
		response.Body.Close()
		return nil, errReset
	}}
}

// Hang accepts the request and does not answer, as an overloaded server does. When
// the failure ends, the request goes on to the server, unless its client has given
// up. Until then open watches bring nothing.
func Hang() Fault {
	return Fault{name: "Hang", hangs: true, meet: func(f *Failure, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		traceSent(r)
		select {
		case <-f.ended:
			return next.RoundTrip(r)
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}}
}

// Slow delays the request before the server sees it.
func Slow(delay time.Duration) Fault {
	return Fault{name: "Slow", meet: func(_ *Failure, r *http.Request, next http.RoundTripper) (*http.Response, error) {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			return next.RoundTrip(r)
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}}
}

// Conflict answers a write with 409 Conflict, as if somebody else had been faster.
// The write is not applied.
func Conflict() Fault {
	fault := Answer(apierrors.NewConflict(corev1.Resource("configmaps"), "", errors.New("the object has been modified")))
	fault.name, fault.verbs = "Conflict", []string{"create", "update", "patch", "delete"}
	return fault
}

// Forbidden denies the right to the verbs, also in the answer to a
// SelfSubjectAccessReview. As in a cluster, an open watch goes on, and an apply that
// creates needs the right to "create" as well as to "patch".
func Forbidden() Fault {
	return Fault{name: "Forbidden", denies: true, verbs: Verbs()}
}

// Expired ends watches, also open ones, with 410 Gone: the server has forgotten the
// revision at which they begin.
func Expired() Fault { return Fault{name: "Expired", expires: true, verbs: []string{"watch"}} }

// Answer answers with an error of the API server, such as
// apierrors.NewTooManyRequests("busy", 1), which has Retry-After, or
// apierrors.NewInternalError(err). The request does not reach the server and is not
// applied. The client knows that from a 4xx, but not from a 5xx.
func Answer(err *apierrors.StatusError) Fault {
	return Fault{name: "Answer", meet: func(_ *Failure, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		traceSent(r)
		answer := httptest.NewRecorder()
		memapi.ReplyError(answer, err)
		response := answer.Result()
		response.Request = r
		return response, nil
	}}
}

// String returns the fault's name.
func (f Fault) String() string { return f.name }
