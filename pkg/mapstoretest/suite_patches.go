package mapstoretest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applyv1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// What patches and server-side apply do.
var patchProperties = []property{
	{"apply creates what is absent, and tracks who manages it", func(s *suite) {
		created := s.applies("one", map[string]string{"a": "1"}, false)
		if created.UID == "" || !slices.ContainsFunc(created.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
			return e.Manager == "one" && e.Operation == metav1.ManagedFieldsOperationApply
		}) {
			s.Errorf("UID %q, managed fields %v", created.UID, created.ManagedFields)
		}
		if again := s.applies("one", map[string]string{"a": "1"}, false); again.ResourceVersion != created.ResourceVersion {
			s.Error("the same again has another version")
		}
	}},
	{"apply meets a conflict where others have set another value, unless forced", func(s *suite) {
		s.outside.Edit(func(o *corev1.ConfigMap) { o.Annotations = map[string]string{"a": "1"} })
		_, err := s.apply("one", map[string]string{"a": "2"}, false)
		s.expect("another value than that of an update", apierrors.IsConflict, err)
		s.applies("one", map[string]string{"a": "1"}, false) // the same value
		_, err = s.apply("two", map[string]string{"a": "2"}, false)
		s.expect("another value than that of an apply", apierrors.IsConflict, err)
		if forced := s.applies("two", map[string]string{"a": "2"}, true); forced.Annotations["a"] != "2" {
			s.Errorf("forced: annotations %v", forced.Annotations)
		}
	}},
	{"apply removes what its manager no longer applies, and nothing else", func(s *suite) {
		s.outside.Set("k", "1")
		s.applies("one", map[string]string{"a": "1", "b": "1"}, false)
		after := s.applies("one", map[string]string{"b": "1"}, false)
		if _, there := after.Annotations["a"]; there || after.Annotations["b"] != "1" || after.Data["k"] != "1" {
			s.Errorf("annotations %v, data %v", after.Annotations, after.Data)
		}
	}},
	{"a merge patch sets, and removes by null", func(s *suite) { s.patches(types.MergePatchType) }},
	{"a strategic merge patch sets, and removes by null", func(s *suite) { s.patches(types.StrategicMergePatchType) }},
}

func (s *suite) patch(kind types.PatchType, patch string) (*corev1.ConfigMap, error) {
	s.Helper()
	return s.maps.Patch(s.within(), suiteMap, kind, []byte(patch), metav1.PatchOptions{})
}

// apply applies annotations, as a store does.
func (s *suite) apply(manager string, annotations map[string]string, force bool) (*corev1.ConfigMap, error) {
	s.Helper()
	return s.maps.Apply(s.within(), applyv1.ConfigMap(suiteMap, s.cluster.Namespace).WithAnnotations(annotations),
		metav1.ApplyOptions{FieldManager: manager, Force: force})
}

func (s *suite) applies(manager string, annotations map[string]string, force bool) *corev1.ConfigMap {
	s.Helper()
	object, err := s.apply(manager, annotations, force)
	if err != nil {
		s.Fatalf("apply: %v", err)
	}
	return object
}

func (s *suite) patches(kind types.PatchType) {
	s.Helper()
	const patch = `{"data":{"a":null,"b":"2","c":"3"}}`
	_, err := s.patch(kind, patch)
	s.expect("of an absent map", apierrors.IsNotFound, err)
	s.outside.Put(map[string]string{"a": "1", "b": "1", "d": "1"})
	after, err := s.patch(kind, patch)
	if err != nil {
		s.Fatal(err)
	}
	if _, there := after.Data["a"]; there || len(after.Data) != 3 || after.Data["b"] != "2" || after.Data["c"] != "3" || after.Data["d"] != "1" {
		s.Errorf("data %v", after.Data)
	}
}
