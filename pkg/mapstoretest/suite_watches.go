package mapstoretest

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

const selectsMap = metav1.ObjectNameField + "=" + suiteMap

// What lists and watches bring.
var watchProperties = []property{
	{"a list selects by name, at a revision of the cluster", func(s *suite) {
		s.outside.Set("k", "1")
		other := s.create(named("other", nil))
		list, err := s.maps.List(s.within(), metav1.ListOptions{FieldSelector: selectsMap})
		if err != nil {
			s.Fatal(err)
		}
		if len(list.Items) != 1 || list.Items[0].Name != suiteMap {
			s.Errorf("%d items", len(list.Items))
		}
		if list.ResourceVersion != other.ResourceVersion {
			s.later(other.ResourceVersion, list.ResourceVersion) // others may write elsewhere
		}
	}},
	{"a watch from a revision brings what came after, in order and of the one map", func(s *suite) {
		from := s.outside.Set("k", "1").ResourceVersion
		s.outside.Set("k", "2")
		s.create(named("other", nil))
		w := s.watch(metav1.ListOptions{FieldSelector: selectsMap, ResourceVersion: from})
		s.outside.Set("k", "3")
		last := from
		for _, want := range []string{"2", "3"} {
			e, object := s.next(w)
			if e != apiwatch.Modified || object.Name != suiteMap || object.Data["k"] != want {
				s.Errorf("%s of %s with k = %q, want %q", e, object.Name, object.Data["k"], want)
			}
			s.later(last, object.ResourceVersion)
			last = object.ResourceVersion
		}
	}},
	{"a deletion brings the last state with the deletion's version", func(s *suite) {
		last := s.outside.Set("k", "1")
		w := s.watch(metav1.ListOptions{FieldSelector: selectsMap, ResourceVersion: last.ResourceVersion})
		s.outside.Delete()
		e, object := s.next(w)
		if e != apiwatch.Deleted || object.UID != last.UID || object.Data["k"] != "1" {
			s.Errorf("%s of %s", e, object.UID)
		}
		s.later(last.ResourceVersion, object.ResourceVersion)
	}},
	{"an update that changes nothing is no event", func(s *suite) {
		last := s.create(named(suiteMap, map[string]string{"k": "1"}))
		w := s.watch(metav1.ListOptions{FieldSelector: selectsMap, ResourceVersion: last.ResourceVersion})
		if _, err := s.maps.Update(s.within(), last, metav1.UpdateOptions{}); err != nil {
			s.Fatal(err)
		}
		s.outside.Set("k", "2")
		if _, object := s.next(w); object.Data["k"] != "2" {
			s.Errorf("an event with k = %q", object.Data["k"])
		}
	}},
	{"a watch without a revision begins with what there is", func(s *suite) {
		s.outside.Set("k", "1")
		w := s.watch(metav1.ListOptions{FieldSelector: selectsMap})
		if e, object := s.next(w); e != apiwatch.Added || object.Data["k"] != "1" {
			s.Errorf("%s with k = %q", e, object.Data["k"])
		}
	}},
	{"a watch with initial events marks their end", func(s *suite) {
		s.outside.Set("k", "1")
		w, err := s.maps.Watch(s.within(), metav1.ListOptions{
			FieldSelector: selectsMap, SendInitialEvents: new(true), AllowWatchBookmarks: true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		})
		if apierrors.IsInvalid(err) {
			s.Skip("the server does not offer it, and a store does not ask for it")
		}
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(w.Stop)
		if e, object := s.next(w); e != apiwatch.Added || object.Data["k"] != "1" {
			s.Errorf("%s with k = %q", e, object.Data["k"])
		}
		if e, mark := s.next(w); e != apiwatch.Bookmark || mark.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
			s.Errorf("%s with %v", e, mark.Annotations)
		}
	}},
	{"a watch by label tells when a map comes to match and when it no longer does", func(s *suite) {
		from := s.outside.Set("k", "1").ResourceVersion
		w := s.watch(metav1.ListOptions{LabelSelector: "l=1", ResourceVersion: from})
		label := func(value string) {
			s.outside.Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"l": value} })
		}
		label("1")
		if e, object := s.next(w); e != apiwatch.Added || object.Name != suiteMap {
			s.Errorf("%s of %s", e, object.Name)
		}
		label("2")
		if e, object := s.next(w); e != apiwatch.Deleted || object.Name != suiteMap {
			s.Errorf("%s of %s", e, object.Name)
		}
	}},
	{"JSON and protobuf carry the same", func(s *suite) {
		for _, content := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
			config := s.config()
			config.ContentType, config.AcceptContentTypes = content, content+",application/json"
			maps := newClient(s.T, config).CoreV1().ConfigMaps(s.cluster.Namespace)
			object := named("", map[string]string{"k": "ü"})
			object.GenerateName = "content-"
			created, err := maps.Create(s.within(), object, metav1.CreateOptions{})
			if err != nil {
				s.Fatalf("%s: %v", content, err)
			}
			w, err := maps.Watch(s.within(), metav1.ListOptions{ResourceVersion: created.ResourceVersion})
			if err != nil {
				s.Fatalf("%s: %v", content, err)
			}
			s.Cleanup(w.Stop)
			created.Data["k"] = "ö"
			if _, err := maps.Update(s.within(), created, metav1.UpdateOptions{}); err != nil {
				s.Fatalf("%s: %v", content, err)
			}
			if _, seen := s.next(w); seen.Data["k"] != "ö" {
				s.Errorf("%s: k = %q", content, seen.Data["k"])
			}
		}
	}},
}

func (s *suite) watch(options metav1.ListOptions) apiwatch.Interface {
	s.Helper()
	w, err := s.maps.Watch(s.within(), options)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(w.Stop)
	return w
}

// next returns the next event about a map.
func (s *suite) next(w apiwatch.Interface) (apiwatch.EventType, *corev1.ConfigMap) {
	s.Helper()
	select {
	case e, open := <-w.ResultChan():
		object, ok := e.Object.(*corev1.ConfigMap)
		if !open || !ok {
			s.Fatalf("the watch ended: %s %v", e.Type, apierrors.FromObject(e.Object))
		}
		return e.Type, object
	case <-s.within().Done():
		s.Fatal("no event")
	}
	return "", nil
}
