package mapstoretest

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// What objects, their versions and their identities are.
var objectProperties = []property{
	{"a request about another version or object is a conflict, and changes nothing", func(s *suite) {
		stale := s.create(named(suiteMap, map[string]string{"k": "1"}))
		s.outside.Set("k", "2")
		now := s.outside.Set("k", "1") // so that the stale update would change nothing
		another := now.DeepCopy()
		another.UID, another.Data = "00000000-0000-0000-0000-000000000000", map[string]string{"k": "3"}
		_, update := s.update(stale)
		_, replace := s.update(another)
		_, patch := s.patch(types.MergePatchType, `{"metadata":{"resourceVersion":"`+stale.ResourceVersion+`"},"data":{"k":"3"}}`)
		for what, err := range map[string]error{
			"a stale update": update, "an update with another UID": replace, "a stale patch": patch,
			"a stale deletion":            s.delete(&metav1.Preconditions{ResourceVersion: &stale.ResourceVersion}),
			"a deletion with another UID": s.delete(&metav1.Preconditions{UID: &another.UID}),
		} {
			s.expect(what, apierrors.IsConflict, err)
		}
		if got := s.get(suiteMap).ResourceVersion; got != now.ResourceVersion {
			s.Errorf("version %s, want %s", got, now.ResourceVersion)
		}
	}},
	{"an update without a version overwrites, but not who an object is", func(s *suite) {
		before := s.outside.Set("k", "1")
		object := named(suiteMap, map[string]string{"other": "2"})
		object.CreationTimestamp = metav1.Unix(1, 0)
		after, err := s.update(object)
		if err != nil || after.Data["k"] != "" || after.Data["other"] != "2" {
			s.Errorf("update: %v", err)
		}
		if after.UID != before.UID || !after.CreationTimestamp.Equal(&before.CreationTimestamp) {
			s.Error("another UID or time of creation")
		}
	}},
	{"a write that changes nothing keeps the version", func(s *suite) {
		before := s.create(named(suiteMap, map[string]string{"k": "1"}))
		update, err := s.update(before.DeepCopy())
		if err != nil || update.ResourceVersion != before.ResourceVersion {
			s.Errorf("update: %v, or another version", err)
		}
		patch, err := s.patch(types.MergePatchType, `{"data":{"k":"1"}}`)
		if err != nil || patch.ResourceVersion != before.ResourceVersion {
			s.Errorf("patch: %v, or another version", err)
		}
	}},
	{"what is absent is not found, and what exists is not created again", func(s *suite) {
		_, err := s.update(named(suiteMap, nil))
		s.expect("update", apierrors.IsNotFound, err)
		s.expect("delete", apierrors.IsNotFound, s.delete(nil))
		_, err = s.maps.Get(s.within(), suiteMap, metav1.GetOptions{})
		s.expect("get", apierrors.IsNotFound, err)
		s.create(named(suiteMap, map[string]string{"k": "1"}))
		_, err = s.maps.Create(s.within(), named(suiteMap, nil), metav1.CreateOptions{})
		s.expect("create", apierrors.IsAlreadyExists, err)
	}},
	{"versions order the commits to all maps", func(s *suite) {
		first := s.create(named("a", nil))
		second := s.create(named("b", nil))
		s.later(first.ResourceVersion, second.ResourceVersion)
		first.Data = map[string]string{"k": "1"}
		after, err := s.update(first)
		if err != nil {
			s.Fatal(err)
		}
		s.later(second.ResourceVersion, after.ResourceVersion)
	}},
	{"a recreated map has another UID and a later version", func(s *suite) {
		before := s.outside.Set("k", "1")
		s.outside.Delete()
		after := s.outside.Set("k", "1")
		if before.UID == "" || before.UID == after.UID {
			s.Errorf("UIDs %q and %q", before.UID, after.UID)
		}
		s.later(before.ResourceVersion, after.ResourceVersion)
	}},
	{"a map with a finalizer goes when the finalizer does", func(s *suite) {
		object := named(suiteMap, nil)
		object.Finalizers = []string{"example.com/hold"}
		s.create(object)
		s.outside.Delete()
		held := s.get(suiteMap)
		if held.DeletionTimestamp == nil {
			s.Error("no time of deletion")
		}
		held.Finalizers = nil
		if _, err := s.update(held); err != nil {
			s.Fatal(err)
		}
		if s.outside.Get() != nil {
			s.Error("it is still there")
		}
	}},
	{"a dry run changes nothing", func(s *suite) {
		object := s.create(named(suiteMap, map[string]string{"k": "1"}))
		version := object.ResourceVersion
		object.Data["k"] = "2"
		after, err := s.maps.Update(s.within(), object, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil || after.Data["k"] != "2" {
			s.Errorf("update: %v", err)
		}
		if now := s.get(suiteMap); now.Data["k"] != "1" || now.ResourceVersion != version {
			s.Error("the map has changed")
		}
	}},
}

// later fails the test unless after is a later version than before.
func (s *suite) later(before, after string) {
	s.Helper()
	if order, err := resourceversion.CompareResourceVersion(before, after); err != nil || order >= 0 {
		s.Errorf("version %q after %q: %v", after, before, err)
	}
}
