package remote

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// NewFamily returns the ConfigMaps of a namespace that the selector matches. It does no I/O.
func NewFamily(client kubernetes.Interface, namespace string, selector labels.Selector, fieldManager string) *Map {
	m := New(client, namespace, "", fieldManager)
	m.labels = selector
	return m
}

// Member returns a ConfigMap of the family. While the selector does not match it, it counts
// as one that does not exist.
func (m *Map) Member(name string) *Map {
	return &Map{
		namespace: m.namespace, name: name, labels: m.labels, fieldManager: m.fieldManager,
		client: m.client, maps: m.maps, reviews: m.reviews,
		limiter: m.limiter, resends: m.resends, fake: m.fake, traces: m.traces,
	}
}

// ErrOutside is returned by [Map.Create] for a ConfigMap that exists, and that the family's
// selector does not match.
var ErrOutside = errors.New("the ConfigMap exists, and the family's selector does not match it")

// isOutside returns ErrOutside if the ConfigMap exists and the selector does not match it.
func (m *Map) isOutside(ctx context.Context) error {
	object, err := call(ctx, m, Once, m.limiter, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return m.maps.Get(ctx, m.name, metav1.GetOptions{})
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err == nil && m.Is(object) && !m.Matches(object):
		return ErrOutside
	}
	return err
}

// selecting returns the options with what selects the ConfigMap, or the family.
func (m *Map) selecting(options metav1.ListOptions) metav1.ListOptions {
	if m.name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, m.name).String()
	}
	if m.labels != nil {
		options.LabelSelector = m.labels.String()
	}
	return options
}

// Matches reports whether the family's selector matches object; true if there is no family.
func (m *Map) Matches(object *corev1.ConfigMap) bool {
	return m.labels == nil || m.labels.Matches(labels.Set(object.Labels))
}
