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
		created, err := s.apply("one", map[string]string{"a": "1"}, false)
		if err != nil {
			s.Fatal(err)
		}
		if created.UID == "" || !slices.ContainsFunc(created.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
			return e.Manager == "one" && e.Operation == metav1.ManagedFieldsOperationApply
		}) {
			s.Errorf("UID %q, managed fields %v", created.UID, created.ManagedFields)
		}
		again, err := s.apply("one", map[string]string{"a": "1"}, false)
		if err != nil || again.ResourceVersion != created.ResourceVersion {
			s.Errorf("the same again: %v, or another version", err)
		}
	}},
	{"apply meets a conflict where others have set another value, unless forced", func(s *suite) {
		s.outside.Edit(func(o *corev1.ConfigMap) { o.Annotations = map[string]string{"a": "1"} })
		_, err := s.apply("one", map[string]string{"a": "2"}, false)
		s.expect("another value than that of an update", apierrors.IsConflict, err)
		if _, err := s.apply("one", map[string]string{"a": "1"}, false); err != nil {
			s.Errorf("the same value: %v", err)
		}
		_, err = s.apply("two", map[string]string{"a": "2"}, false)
		s.expect("another value than that of an apply", apierrors.IsConflict, err)
		forced, err := s.apply("two", map[string]string{"a": "2"}, true)
		if err != nil || forced.Annotations["a"] != "2" {
			s.Errorf("forced: %v", err)
		}
	}},
	{"apply removes what its manager no longer applies, and nothing else", func(s *suite) {
		s.outside.Set("k", "1")
		if _, err := s.apply("one", map[string]string{"a": "1", "b": "1"}, false); err != nil {
			s.Fatal(err)
		}
		after, err := s.apply("one", map[string]string{"b": "1"}, false)
		if err != nil {
			s.Fatal(err)
		}
		if _, there := after.Annotations["a"]; there || after.Annotations["b"] != "1" || after.Data["k"] != "1" {
			s.Errorf("annotations %v, data %v", after.Annotations, after.Data)
		}
	}},
	{"a merge patch sets, and removes by null", func(s *suite) { s.patches(types.MergePatchType) }},
	{"a strategic merge patch sets, and removes by null", func(s *suite) { s.patches(types.StrategicMergePatchType) }},
	{"a patch with a stale version is a conflict", func(s *suite) {
		stale := s.outside.Set("k", "1").ResourceVersion
		s.outside.Set("k", "2")
		_, err := s.patch(types.MergePatchType, `{"metadata":{"resourceVersion":"`+stale+`"},"data":{"k":"3"}}`)
		s.expect("patch", apierrors.IsConflict, err)
	}},
	{"a patch that changes nothing keeps the version", func(s *suite) {
		before := s.outside.Set("k", "1")
		after, err := s.patch(types.MergePatchType, `{"data":{"k":"1"}}`)
		if err != nil || after.ResourceVersion != before.ResourceVersion {
			s.Errorf("%v, or another version", err)
		}
	}},
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
