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
	{"a watch from a revision brings what came after: changes, in order and of the one map", func(s *suite) {
		from := s.outside.Set("k", "1")
		s.outside.Set("k", "2")
		s.create(named("other", nil))
		w := s.watch(metav1.ListOptions{FieldSelector: selectsMap, ResourceVersion: from.ResourceVersion})
		third := s.outside.Set("k", "3")
		if _, err := s.update(third); err != nil { // which changes nothing
			s.Fatal(err)
		}
		s.outside.Delete() // which brings the last state with a version of its own
		last := from.ResourceVersion
		for _, e := range []struct {
			kind apiwatch.EventType
			k    string
		}{{apiwatch.Modified, "2"}, {apiwatch.Modified, "3"}, {apiwatch.Deleted, "3"}} {
			object := w.expect(e.kind, e.k)
			s.later(last, object.ResourceVersion)
			if last = object.ResourceVersion; object.UID != from.UID {
				s.Errorf("UID %s", object.UID)
			}
		}
	}},
	{"a watch without a revision begins with what there is", func(s *suite) {
		s.outside.Set("k", "1")
		s.watch(metav1.ListOptions{FieldSelector: selectsMap}).expect(apiwatch.Added, "1")
	}},
	{"a watch with initial events marks their end", func(s *suite) {
		s.outside.Set("k", "1")
		options := metav1.ListOptions{
			FieldSelector: selectsMap, SendInitialEvents: new(true), AllowWatchBookmarks: true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		}
		if probe, err := s.maps.Watch(s.within(), options); apierrors.IsInvalid(err) {
			s.Skip("the server does not offer it, and a store does not ask for it")
		} else if err == nil {
			probe.Stop()
		}
		w := s.watch(options)
		w.expect(apiwatch.Added, "1")
		if e, mark := w.next(); e != apiwatch.Bookmark || mark.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
			s.Errorf("%s with %v", e, mark.Annotations)
		}
	}},
	{"a watch by label tells when a map comes to match and when it no longer does", func(s *suite) {
		from := s.outside.Set("k", "1").ResourceVersion
		w := s.watch(metav1.ListOptions{LabelSelector: "l=1", ResourceVersion: from})
		for _, step := range []struct {
			label string
			want  apiwatch.EventType
		}{{"1", apiwatch.Added}, {"2", apiwatch.Deleted}} {
			s.outside.Edit(func(o *corev1.ConfigMap) { o.Labels = map[string]string{"l": step.label} })
			w.expect(step.want, "1")
		}
	}},
	{"JSON and protobuf carry the same", func(s *suite) {
		for _, content := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
			config := s.config()
			config.ContentType, config.AcceptContentTypes = content, content+",application/json"
			s.maps = newClient(s.T, config).CoreV1().ConfigMaps(s.cluster.Namespace)
			object := s.create(named(content[len("application/"):], map[string]string{"k": "ü"}))
			w := s.watch(metav1.ListOptions{ResourceVersion: object.ResourceVersion})
			object.Data["k"] = "ö"
			if _, err := s.update(object); err != nil {
				s.Fatalf("%s: %v", content, err)
			}
			w.expect(apiwatch.Modified, "ö")
		}
	}},
}

// A watcher is a watch and the suite that it is for.
type watcher struct {
	*suite
	apiwatch.Interface
}

func (s *suite) watch(options metav1.ListOptions) watcher {
	s.Helper()
	w, err := s.maps.Watch(s.within(), options)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(w.Stop)
	return watcher{s, w}
}

// expect waits for the next event, of a map with this value of k.
func (w watcher) expect(want apiwatch.EventType, k string) *corev1.ConfigMap {
	w.Helper()
	e, object := w.next()
	if e != want || object.Data["k"] != k {
		w.Errorf("%s of %s with k = %q, want %s with %q", e, object.Name, object.Data["k"], want, k)
	}
	return object
}

// next returns the next event about a map.
func (w watcher) next() (apiwatch.EventType, *corev1.ConfigMap) {
	w.Helper()
	select {
	case e, open := <-w.ResultChan():
		object, ok := e.Object.(*corev1.ConfigMap)
		if !open || !ok {
			w.Fatalf("the watch ended: %s %v", e.Type, apierrors.FromObject(e.Object))
		}
		return e.Type, object
	case <-w.within().Done():
		w.Fatal("no event")
	}
	return "", nil
}
