package mapstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
)

// updateTimeout bounds one attempt to write. A server can need many seconds for
// a map of many thousand keys.
const updateTimeout = 20 * time.Second

// A remote is the one ConfigMap on the API server: each method is one request.
type remote struct {
	client       kubernetes.Interface
	namespace    string
	name         string
	fieldManager string
}

// get is a quorum read.
func (r *remote) get(ctx context.Context) (object *corev1.ConfigMap, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = r.inquire(ctx, cancel, patient, func(ctx context.Context) (err error) {
		object, err = r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, r.name, metav1.GetOptions{})
		return err
	})
	return object, err
}

// list is a quorum read too; unlike get it also tells the revision at which the
// map does not exist. The empty resource version asks for consistency: "0",
// which informers send, may be served from a cache that lags.
func (r *remote) list(ctx context.Context, p patience) (list *corev1.ConfigMapList, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = r.inquire(ctx, cancel, p, func(ctx context.Context) (err error) {
		list, err = r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, metav1.ListOptions{FieldSelector: r.selector()})
		return err
	})
	if err != nil {
		return nil, err
	}
	// A fake clientset ignores the selector.
	items := list.Items[:0]
	for _, item := range list.Items {
		if r.is(&item) {
			items = append(items, item)
		}
	}
	list.Items = items
	return list, nil
}

// watch opens a watch, which lasts as long as ctx; cancel is ctx's own.
func (r *remote) watch(ctx context.Context, cancel context.CancelCauseFunc, options metav1.ListOptions) (w apiwatch.Interface, err error) {
	options.FieldSelector = r.selector()
	err = r.inquire(ctx, cancel, impatient, func(ctx context.Context) (err error) {
		w, err = r.client.CoreV1().ConfigMaps(r.namespace).Watch(ctx, options)
		return err
	})
	return w, err
}

// create creates the map, without entries and with the ledger that is given. It
// applies it: RBAC can grant that for one name, which it cannot for a POST. The
// ledger is not only a beginning for later commits; without any field of ours,
// the server would never track who manages the map's fields. Not forced, the
// request meets a conflict where the map has come to exist and has a ledger.
func (r *remote) create(ctx context.Context, ledger string) (*corev1.ConfigMap, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	annotations := map[string]string{ledgerAnnotation: ledger}
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	created, err := maps.Apply(ctx, applycorev1.ConfigMap(r.name, r.namespace).WithAnnotations(annotations),
		metav1.ApplyOptions{FieldManager: r.fieldManager})
	if !apierrors.IsNotFound(err) {
		return created, err
	}
	// There is no such namespace, or client-go's older fake, which cannot apply.
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name, Annotations: annotations}}
	if posted, postErr := maps.Create(ctx, object, metav1.CreateOptions{FieldManager: r.fieldManager}); postErr == nil {
		return posted, nil
	}
	return nil, err
}

// update sends object, which must carry the resource version that it was
// computed from. Client-go resends a request by itself, after a 429 or 5xx with
// Retry-After: then the answer is that of the last one, and what became of the
// ones before is unclear unless the last one was applied.
func (r *remote) update(ctx context.Context, object *corev1.ConfigMap) (*corev1.ConfigMap, fate, error) {
	var sent atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent.Add(1) },
	})
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	answer, err := r.client.CoreV1().ConfigMaps(r.namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: r.fieldManager})
	fate := fateOf(err)
	if n := sent.Load(); n > 1 && fate != applied || n == 1 && fate == refused {
		fate = unclear
	}
	return answer, fate, err
}

func (r *remote) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, r.name).String()
}

func (r *remote) is(object *corev1.ConfigMap) bool {
	return object.Name == r.name && object.Namespace == r.namespace
}

// A fate is what became of a request.
type fate int

const (
	applied  fate = iota
	stale         // not applied: it was computed from a version that is no longer the newest
	refused       // not applied: it was never sent; the next one may be
	declined      // not applied: the server is too busy; the next one may be
	rejected      // not applied: the server said no and would say so again
	unclear       // it may have been applied
)

// fateOf reads off an error what became of one request that changes something.
func fateOf(err error) fate {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return applied
	case neverSent(err):
		return refused
	case apierrors.IsTooManyRequests(err):
		return declined
	case isTooLarge(err):
		return rejected
	case !errors.As(err, &status):
		return unclear
	}
	switch code := status.Status().Code; {
	case code == http.StatusConflict, code == http.StatusNotFound:
		return stale
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		return rejected
	default:
		return unclear
	}
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

// isDenied reports whether the server knows the caller too little to serve it,
// which waiting does not mend.
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// isTooLarge reports whether the server said that the object is over a limit,
// which may be lower than those that we know. What etcd or its client say to
// that comes through as a plain 500.
func isTooLarge(err error) bool {
	if apierrors.IsRequestEntityTooLargeError(err) {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code != http.StatusInternalServerError {
		return false
	}
	message := status.Status().Message
	return strings.Contains(message, "request is too large") || // etcd
		strings.Contains(message, "message larger than max") // its client, or gRPC at its door
}

// rejection describes a request that was rejected.
func rejection(err error) error {
	if isTooLarge(err) {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("mapstore: not applied: %w", err)
}
