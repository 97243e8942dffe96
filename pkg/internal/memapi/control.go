package memapi

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Control is how a test has the server treat one request, which carries it in
// its context.
type Control struct {
	Denied []string        // the verbs that the caller may not use, "*" for all
	Expire <-chan struct{} // when closed, a watch ends with 410 Gone
}

type controlKey struct{}

// WithControl returns a context for a request that is treated so.
func WithControl(ctx context.Context, control Control) context.Context {
	return context.WithValue(ctx, controlKey{}, control)
}

func controlOf(ctx context.Context) Control {
	control, _ := ctx.Value(controlKey{}).(Control)
	return control
}

func (c Control) denies(verb string) bool {
	return slices.Contains(c.Denied, verb) || slices.Contains(c.Denied, "*")
}

// authorize returns what RBAC answers to whom it denies the request.
func (c Control) authorize(req *request) error { return c.authorizeFor(req, req.verb) }

// authorizeFor asks for a further right that the request needs.
func (c Control) authorizeFor(req *request, verb string) error {
	if !c.denies(verb) {
		return nil
	}
	return apierrors.NewForbidden(resource, req.key.Name, fmt.Errorf( //nolint:staticcheck // as a server says it
		"User %q cannot %s resource %q in API group %q in the namespace %q", "test", verb, resource.Resource, "", req.key.Namespace))
}

// expired is what ends a watch that asks for what the server no longer knows.
func expired(revision string) metav1.Status {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %s", revision)).Status()
}

var kind = corev1.SchemeGroupVersion.WithKind("ConfigMap")
