package memapi

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Control tells the server how to treat one request. It is in the request's context.
type Control struct {
	Denied []string        // the verbs that the caller may not use, "*" for all
	Expire <-chan struct{} // when closed, a watch ends with 410 Gone
}

type controlKey struct{}

// WithControl returns a context with the Control.
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

// authorize returns RBAC's error if the request is denied.
func (c Control) authorize(req *request) error { return c.authorizeFor(req, req.verb) }

// authorizeFor does the same for another verb that the request needs.
func (c Control) authorizeFor(req *request, verb string) error {
	if !c.denies(verb) {
		return nil
	}
	return apierrors.NewForbidden(resource, req.key.Name, fmt.Errorf( //nolint:staticcheck // as a server says it
		"User %q cannot %s resource %q in API group %q in the namespace %q", "test", verb, resource.Resource, "", req.key.Namespace))
}

// expired returns the Status that ends a watch at a revision that the server has
// forgotten.
func expired(revision string) metav1.Status {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %s", revision)).Status()
}

var kind = corev1.SchemeGroupVersion.WithKind("ConfigMap")
