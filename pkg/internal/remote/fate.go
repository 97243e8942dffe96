package remote

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A Fate is what became of a request that changes something.
type Fate int

// The fates of a request.
const (
	Applied  Fate = iota
	Conflict      // not applied: it was computed from a version that is no longer the newest
	Unsent        // not applied: it was never sent; the next request may be
	Withheld      // not applied: it must not be sent
	Declined      // not applied: the server cannot apply it now; the next request may be applied
	Rejected      // not applied: the server said no and would say so again
	Unclear       // it may have been applied
)

// fateOf tells from an error what became of one request that was sent.
func fateOf(err error) Fate {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return Applied
	case neverSent(err):
		return Unsent
	case apierrors.IsTooManyRequests(err), isBeforeStorage(err):
		return Declined
	case IsTooLarge(err), isDeniedByWebhook(err):
		return Rejected
	case !errors.As(err, &status):
		return Unclear
	}
	switch code := status.Status().Code; {
	case code == http.StatusConflict, code == http.StatusNotFound:
		return Conflict
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		return Rejected
	default:
		return Unclear
	}
}

// isBeforeStorage reports whether the server said that it failed before it stored
// anything: it answers 500 then, too. These come from apiserver's calls of admission
// webhooks, and from etcd's checks before it takes a proposal.
func isBeforeStorage(err error) bool {
	message := serverErrorMessage(err)
	return strings.HasPrefix(strings.TrimPrefix(message, "Internal error occurred: "), "failed calling webhook ") ||
		strings.Contains(message, "etcdserver: mvcc: database space exceeded") ||
		strings.Contains(message, "etcdserver: no space") ||
		strings.Contains(message, "etcdserver: too many requests") ||
		strings.Contains(message, "etcdserver: corrupt cluster")
}

// isDeniedByWebhook reports whether an admission webhook has said no by an answer of its
// own, which may have any code.
func isDeniedByWebhook(err error) bool {
	message := serverErrorMessage(err)
	return strings.HasPrefix(message, "admission webhook ") && strings.Contains(message, "\" denied the request")
}

// serverErrorMessage returns what a 5xx says; "" if err is none.
func serverErrorMessage(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code < http.StatusInternalServerError {
		return ""
	}
	return status.Status().Message
}

// isAnswer reports whether err is what a server said.
func isAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// IsAnswer reports whether err is a server's answer to the request, and not that it cannot
// answer it now.
func IsAnswer(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests
}

// neverSent reports whether err shows that no connection was made, so that no
// request can have been sent.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// IsDenied reports whether the server denied access: the caller is unknown or lacks the
// right. Waiting does not help against that.
func IsDenied(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// IsTooLarge reports whether the server said that the object exceeds a limit. That limit
// may be lower than those that we know. If etcd or its client says so, the answer is a
// plain 500.
func IsTooLarge(err error) bool {
	if apierrors.IsRequestEntityTooLargeError(err) {
		return true
	}
	message := serverErrorMessage(err)
	return strings.Contains(message, "request is too large") || // etcd
		strings.Contains(message, "message larger than max") // etcd's client, or gRPC in front of etcd
}
