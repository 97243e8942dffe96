// Package memapi is an API server for ConfigMaps in memory, for tests without a
// cluster. It has the semantics that the store relies on (resource versions,
// conflicts, UIDs, consistent lists, watches that begin at a revision, apply)
// and none that it does not, such as validation or managed fields.
package memapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// A Server is the API server. Its zero value is empty and ready to use.
type Server struct {
	mu       sync.Mutex // protects all below
	revision int
	objects  map[types.NamespacedName]*corev1.ConfigMap
	history  []event       // what happened, oldest first
	news     chan struct{} // closed and replaced when something happens
}

// firstRevision is that of the empty server. Like etcd's it is not 0, which
// means "any" to a client.
const firstRevision = 1

type event struct {
	kind     apiwatch.EventType
	object   *corev1.ConfigMap
	revision int
}

// ServeHTTP answers the requests that the store, and a plain client beside it,
// send.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") {
		reply(w, http.StatusCreated, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}})
		return
	}
	// /api/v1/namespaces/NAMESPACE/configmaps[/NAME]
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 5 || parts[4] != "configmaps" {
		replyError(w, apierrors.NewNotFound(corev1.Resource("paths"), r.URL.Path))
		return
	}
	key := types.NamespacedName{Namespace: parts[3]}
	if len(parts) == 6 {
		key.Name = parts[5]
	} else if selector, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector")); err == nil {
		key.Name, _ = selector.RequiresExactMatch(metav1.ObjectNameField)
	}
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		s.watch(w, r, key)
	case r.Method == http.MethodGet && len(parts) == 5:
		s.list(w, key)
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			replyError(w, apierrors.NewBadRequest(err.Error()))
			return
		}
		object, err := s.do(r, key, body)
		if err != nil {
			replyError(w, err)
			return
		}
		reply(w, http.StatusOK, object)
	}
}

func (s *Server) do(r *http.Request, key types.NamespacedName, body []byte) (*corev1.ConfigMap, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.objects[key]
	switch r.Method {
	case http.MethodPost:
		object, err := decode(body)
		if err != nil {
			return nil, err
		}
		key.Name = object.Name
		if s.objects[key] != nil {
			return nil, apierrors.NewAlreadyExists(corev1.Resource("configmaps"), key.Name)
		}
		return s.commitLocked(key, apiwatch.Added, object), nil
	case http.MethodPatch:
		return s.patchLocked(r, key, current, body)
	}
	if current == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
	}
	switch r.Method {
	case http.MethodGet:
		return current, nil
	case http.MethodDelete:
		return s.commitLocked(key, apiwatch.Deleted, current.DeepCopy()), nil
	case http.MethodPut:
		object, err := decode(body)
		if err != nil {
			return nil, err
		}
		return s.updateLocked(key, current, object)
	}
	return nil, apierrors.NewMethodNotSupported(corev1.Resource("configmaps"), r.Method)
}

func (s *Server) updateLocked(key types.NamespacedName, current, object *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	if object.UID != "" && object.UID != current.UID || object.ResourceVersion != "" && object.ResourceVersion != current.ResourceVersion {
		return nil, apierrors.NewConflict(corev1.Resource("configmaps"), key.Name, fmt.Errorf("the object has been modified"))
	}
	object.UID, object.ResourceVersion = current.UID, current.ResourceVersion
	before, _ := json.Marshal(current)
	after, _ := json.Marshal(object)
	if string(before) == string(after) {
		return current, nil
	}
	return s.commitLocked(key, apiwatch.Modified, object), nil
}

// patchLocked merges the body into the object. An apply creates the object, and
// meets a conflict where another value stands, unless it is forced.
func (s *Server) patchLocked(r *http.Request, key types.NamespacedName, current *corev1.ConfigMap, body []byte) (*corev1.ConfigMap, error) {
	patch, err := decode(body)
	if err != nil {
		return nil, err
	}
	apply := r.Header.Get("Content-Type") == string(types.ApplyPatchType)
	kind, object := apiwatch.Modified, &corev1.ConfigMap{}
	switch {
	case current != nil:
		object = current.DeepCopy()
	case apply:
		kind, object = apiwatch.Added, &corev1.ConfigMap{}
	default:
		return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
	}
	for name, value := range patch.Annotations {
		if old, ok := object.Annotations[name]; ok && old != value && apply && r.URL.Query().Get("force") != "true" {
			return nil, apierrors.NewConflict(corev1.Resource("configmaps"), key.Name, fmt.Errorf("another manager owns %s", name))
		}
		object.Annotations = put(object.Annotations, name, value)
	}
	for name, value := range patch.Data {
		object.Data = put(object.Data, name, value)
	}
	if patch.Immutable != nil {
		object.Immutable = patch.Immutable
	}
	if kind == apiwatch.Added {
		return s.commitLocked(key, kind, object), nil
	}
	return s.updateLocked(key, current, object)
}

func put(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = make(map[string]string)
	}
	m[key] = value
	return m
}

func (s *Server) commitLocked(key types.NamespacedName, kind apiwatch.EventType, object *corev1.ConfigMap) *corev1.ConfigMap {
	s.revision++
	object.Namespace, object.Name = key.Namespace, key.Name
	object.ResourceVersion = strconv.Itoa(s.revision + firstRevision)
	if kind == apiwatch.Added {
		object.UID = types.UID(fmt.Sprintf("uid-%d", s.revision))
	}
	if s.objects == nil {
		s.objects = make(map[types.NamespacedName]*corev1.ConfigMap)
	}
	if kind == apiwatch.Deleted {
		delete(s.objects, key)
	} else {
		s.objects[key] = object
	}
	s.history = append(s.history, event{kind, object, s.revision})
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
	return object
}

// Rewind makes the server forget everything after revision, as a restore from a
// backup does. Open watches stay open and silent; end their connections.
func (s *Server) Rewind(revision string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision, _ = strconv.Atoi(revision)
	s.revision -= firstRevision
	s.objects = make(map[types.NamespacedName]*corev1.ConfigMap)
	for i, e := range s.history {
		if e.revision > s.revision {
			s.history = s.history[:i]
			break
		}
		key := types.NamespacedName{Namespace: e.object.Namespace, Name: e.object.Name}
		if e.kind == apiwatch.Deleted {
			delete(s.objects, key)
		} else {
			s.objects[key] = e.object
		}
	}
}

func (s *Server) list(w http.ResponseWriter, key types.NamespacedName) {
	s.mu.Lock()
	list := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.revision + firstRevision)}}
	if object := s.objects[key]; object != nil {
		list.Items = append(list.Items, *object)
	}
	s.mu.Unlock()
	reply(w, http.StatusOK, list)
}

// watch sends what happened after the revision that the client names, and then
// what happens, until the client goes away.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, key types.NamespacedName) {
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	from -= firstRevision
	if err != nil {
		replyError(w, apierrors.NewBadRequest("a watch must begin at a revision"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush()
	for {
		s.mu.Lock()
		var due []event
		for _, e := range s.history {
			if e.revision > from && e.object.Namespace == key.Namespace && e.object.Name == key.Name {
				due = append(due, e)
			}
		}
		if s.news == nil {
			s.news = make(chan struct{})
		}
		news := s.news
		s.mu.Unlock()
		for _, e := range due {
			from = e.revision
			if err := json.NewEncoder(w).Encode(map[string]any{"type": e.kind, "object": typed(e.object)}); err != nil {
				return
			}
		}
		_ = out.Flush()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

func decode(body []byte) (*corev1.ConfigMap, error) {
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, new(corev1.SchemeGroupVersion.WithKind("ConfigMap")), nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	object, ok := decoded.(*corev1.ConfigMap)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a ConfigMap: %T", decoded))
	}
	return object, nil
}

func typed(object *corev1.ConfigMap) *corev1.ConfigMap {
	copied := *object
	copied.APIVersion, copied.Kind = "v1", "ConfigMap"
	return &copied
}

func reply(w http.ResponseWriter, code int, object any) {
	switch o := object.(type) {
	case *corev1.ConfigMap:
		object = typed(o)
	case *corev1.ConfigMapList:
		o.APIVersion, o.Kind = "v1", "ConfigMapList"
	case *authorizationv1.SelfSubjectAccessReview:
		o.APIVersion, o.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func replyError(w http.ResponseWriter, err error) {
	status := apierrors.NewInternalError(err).Status()
	if known, ok := err.(apierrors.APIStatus); ok {
		status = known.Status()
	}
	status.APIVersion, status.Kind = "v1", "Status"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}
