package memapi

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/kubernetes/scheme"
)

// fieldManager is a real server's code for managed fields. It deduces the schema from
// the objects. For a ConfigMap that makes a difference only for two lists in its
// metadata, finalizers and owner references: each has one manager as a whole.
var fieldManager = sync.OnceValues(func() (*managedfields.FieldManager, error) {
	return managedfields.NewDefaultFieldManager(managedfields.NewDeducedTypeConverter(),
		scheme.Scheme, noDefaults{}, scheme.Scheme, kind, kind.GroupVersion(), "", nil)
})

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

// track returns object with its managed fields, after it has replaced current.
func track(current, object *corev1.ConfigMap, manager string) (*corev1.ConfigMap, error) {
	return managed(func(fields *managedfields.FieldManager) (runtime.Object, error) {
		return fields.Update(named(current), named(object), manager)
	})
}

// apply returns current after the manager has applied the patch. It returns a conflict,
// unless forced, if the patch changes fields of other managers.
func apply(current *corev1.ConfigMap, patch *unstructured.Unstructured, manager string, force bool) (*corev1.ConfigMap, error) {
	return managed(func(fields *managedfields.FieldManager) (runtime.Object, error) {
		return fields.Apply(named(current), patch, manager, force)
	})
}

// managed returns the result with times in whole seconds, as in JSON, so that they are
// the same when a client writes the object back.
func managed(change func(*managedfields.FieldManager) (runtime.Object, error)) (*corev1.ConfigMap, error) {
	fields, err := fieldManager()
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	changed, err := change(fields)
	if apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && err != nil {
		err = apierrors.NewBadRequest(err.Error())
	}
	if err != nil {
		return nil, err
	}
	object := changed.(*corev1.ConfigMap)
	for _, entry := range object.ManagedFields {
		if entry.Time != nil {
			*entry.Time = entry.Time.Rfc3339Copy()
		}
	}
	return object, nil
}

// named returns a copy with its kind, which the field manager needs.
func named(object *corev1.ConfigMap) *corev1.ConfigMap {
	object = object.DeepCopy()
	object.SetGroupVersionKind(kind)
	return object
}
