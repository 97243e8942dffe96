// Package memapi is an API server for ConfigMaps in memory, for tests without a
// cluster. It behaves as a real one in all that a client can see: resource
// versions, preconditions, validation, limits, managed fields, consistent lists,
// watches that begin at a revision. Package mapstoretest says where it differs.
package memapi

import (
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Server is the API server. Its zero value is empty and ready to use.
type Server struct{ log log }

var resource = corev1.Resource("configmaps")

// ServeHTTP answers requests that read, write, list or watch ConfigMaps, or ask
// what the client may do, or what the server has.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" && r.Method == http.MethodPost {
		s.review(w, r)
		return
	}
	if discover(w, r) {
		return
	}
	req, err := parse(r)
	if err == nil {
		err = controlOf(r.Context()).authorize(req)
	}
	if err != nil {
		ReplyError(w, err)
		return
	}
	switch req.verb {
	case "watch":
		s.watch(w, req)
	case "list":
		s.list(w, req)
	default:
		object, code, err := s.do(req)
		if err != nil {
			ReplyError(w, err)
			return
		}
		reply(w, code, object)
	}
}

// do answers a request about one object.
func (s *Server) do(req *request) (answer any, code int, err error) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	switch req.verb {
	case "create":
		answer, err = s.createLocked(req)
		return answer, http.StatusCreated, err
	case "patch":
		return s.patchLocked(req)
	}
	current := s.log.objects[req.key]
	if current == nil {
		return nil, 0, apierrors.NewNotFound(resource, req.key.Name)
	}
	switch req.verb {
	case "get":
		answer, err = current, s.log.notYetLocked(req.query.Get("resourceVersion"))
	case "update":
		answer, err = s.updateLocked(req, current)
	case "delete":
		answer, err = s.deleteLocked(req, current)
	default:
		err = apierrors.NewMethodNotSupported(resource, req.verb)
	}
	return answer, http.StatusOK, err
}

// list answers with all objects that match, at one revision. It has no pages: a server
// may send more than the client has asked for.
func (s *Server) list(w http.ResponseWriter, req *request) {
	s.log.mu.Lock()
	err := s.log.notYetLocked(req.query.Get("resourceVersion"))
	list := &corev1.ConfigMapList{
		ListMeta: metav1.ListMeta{ResourceVersion: formatRevision(s.log.revision)},
		Items:    []corev1.ConfigMap{},
	}
	for _, object := range s.log.matchingLocked(req) {
		list.Items = append(list.Items, *object)
	}
	s.log.mu.Unlock()
	if err != nil {
		ReplyError(w, err)
		return
	}
	reply(w, http.StatusOK, list)
}

// review answers a SelfSubjectAccessReview.
func (s *Server) review(w http.ResponseWriter, r *http.Request) {
	review := &authorizationv1.SelfSubjectAccessReview{}
	body, err := readBody(r)
	if err == nil {
		err = decodeInto(body, review)
	}
	if err != nil {
		ReplyError(w, err)
		return
	}
	asked := review.Spec.ResourceAttributes
	review.Status.Allowed = asked == nil || asked.Resource != resource.Resource || !controlOf(r.Context()).denies(asked.Verb)
	reply(w, http.StatusCreated, review)
}

// Rewind makes the server forget everything after revision, as a restore from a
// backup does, and reports whether it has such a revision. Open watches stay open
// and bring nothing more: the caller must break their connections.
func (s *Server) Rewind(revision string) bool { return s.log.rewind(revision) }

// Compact makes the server forget its history: a watch that begins at an earlier
// revision gets 410 Gone.
func (s *Server) Compact() { s.log.compact() }
