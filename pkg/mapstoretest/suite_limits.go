package mapstoretest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a server takes and what it refuses.
var limitProperties = []property{
	{"keys are letters, digits, '-', '_' and '.', at most 253", func(s *suite) {
		for _, key := range []string{"a", "-._", ".a", strings.Repeat("k", 253)} {
			if err := s.tries(&corev1.ConfigMap{Data: map[string]string{key: ""}}); err != nil {
				s.Errorf("key %.20q: %v", key, err)
			}
		}
		for _, key := range []string{"", ".", "..", "..a", "a b", "a/b", "ä", strings.Repeat("k", 254)} {
			s.expect(fmt.Sprintf("key %.20q", key), apierrors.IsInvalid, s.tries(&corev1.ConfigMap{Data: map[string]string{key: ""}}))
		}
	}},
	{"names are DNS subdomains", func(s *suite) {
		for _, name := range []string{"A", "a_b", "-a", strings.Repeat("n", 254)} {
			_, err := s.maps.Create(s.within(), named(name, nil), metav1.CreateOptions{})
			s.expect(fmt.Sprintf("name %.20q", name), apierrors.IsInvalid, err)
		}
	}},
	{"the values of data and binaryData have at most 1 MiB together", func(s *suite) {
		half := strings.Repeat("x", 1<<19)
		object := corev1.ConfigMap{Data: map[string]string{"a": half}, BinaryData: map[string][]byte{"b": []byte(half)}}
		if err := s.tries(object.DeepCopy()); err != nil {
			s.Errorf("1 MiB: %v", err)
		}
		object.Data["c"] = "x"
		s.expect("1 MiB and a byte", apierrors.IsInvalid, s.tries(&object))
	}},
	{"a key is in one of data and binaryData", func(s *suite) {
		s.expect("in both", apierrors.IsInvalid,
			s.tries(&corev1.ConfigMap{Data: map[string]string{"k": "1"}, BinaryData: map[string][]byte{"k": []byte("2")}}))
	}},
	{"binary values come back as they are", func(s *suite) {
		bytes := "\x00\xff\xfe"
		s.outside.Put(map[string]string{"text": "ü\n", "bytes": bytes})
		if object := s.get(suiteMap); string(object.BinaryData["bytes"]) != bytes || object.Data["text"] != "ü\n" {
			s.Error("the values have changed")
		}
	}},
	{"an object that etcd finds too large is refused", func(s *suite) {
		keys := make(map[string]string)
		for i := range 7500 {
			keys[fmt.Sprintf("%0253d", i)] = ""
		}
		tooLarge := func(err error) bool { return err != nil && strings.Contains(err.Error(), "too large") }
		s.expect("7500 long keys", tooLarge, s.tries(&corev1.ConfigMap{Data: keys}))
	}},
	{"a request of more than 3 MiB is refused", func(s *suite) {
		s.expect("3 MiB", apierrors.IsRequestEntityTooLargeError,
			s.tries(&corev1.ConfigMap{Data: map[string]string{"k": strings.Repeat("x", 3<<20)}}))
	}},
	{"an immutable map takes new labels and no new values, and stays immutable", func(s *suite) {
		object := named(suiteMap, map[string]string{"k": "1"})
		object.Immutable = new(true)
		s.create(object)
		for name, change := range map[string]func(*corev1.ConfigMap){
			"values":     func(o *corev1.ConfigMap) { o.Data["k"] = "2" },
			"binaryData": func(o *corev1.ConfigMap) { o.BinaryData = map[string][]byte{"b": nil} },
			"immutable":  func(o *corev1.ConfigMap) { o.Immutable = nil },
		} {
			object := s.get(suiteMap)
			change(object)
			_, err := s.update(object)
			s.expect(name, apierrors.IsInvalid, err)
		}
		s.outside.Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"l": "1"} })
	}},
}

// tries creates an object, and deletes it again if the server takes it.
func (s *suite) tries(object *corev1.ConfigMap) error {
	s.Helper()
	object.GenerateName = "limits-"
	created, err := s.maps.Create(s.within(), object, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return s.maps.Delete(s.within(), created.Name, metav1.DeleteOptions{})
}
