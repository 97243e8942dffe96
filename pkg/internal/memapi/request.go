package memapi

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// A request is a parsed HTTP request.
type request struct {
	*http.Request
	verb   string
	key    types.NamespacedName // the name is empty for a collection, unless a selector names one object
	query  url.Values
	fields fields.Selector
	labels labels.Selector
	body   []byte
}

// maxRequestBytes is how much a server reads of a request.
// Source: apiserver/pkg/server/config.go, MaxRequestBodyBytes.
const maxRequestBytes = 3 << 20

// Verb returns RBAC's verb for a request about a ConfigMap or all ConfigMaps of a
// namespace, or "" for any other request.
func Verb(r *http.Request) string {
	namespace, name, ok := target(r.URL.Path)
	if !ok || namespace == "" && name != "" {
		return ""
	}
	switch collection := name == ""; {
	case r.Method == http.MethodGet && isTrue(r.URL.Query().Get("watch")):
		return "watch"
	case r.Method == http.MethodGet && collection:
		return "list"
	case r.Method == http.MethodGet:
		return "get"
	case r.Method == http.MethodPost && collection:
		return "create"
	case r.Method == http.MethodPut && !collection:
		return "update"
	case r.Method == http.MethodPatch && !collection:
		return "patch"
	case r.Method == http.MethodDelete && !collection:
		return "delete"
	}
	return ""
}

// target splits /api/v1[/namespaces/NAMESPACE]/configmaps[/NAME].
func target(path string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok {
		return "", "", false
	}
	if after, found := strings.CutPrefix(rest, "namespaces/"); found {
		namespace, rest, _ = strings.Cut(after, "/")
	}
	kind, name, _ := strings.Cut(rest, "/")
	return namespace, name, kind == resource.Resource && !strings.Contains(name, "/")
}

// notServed returns the error for a request about anything else than ConfigMaps. It
// says what this server has.
func notServed(r *http.Request) error {
	err := apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{}, "", "", 0, true)
	err.ErrStatus.Message += ": only ConfigMaps and SelfSubjectAccessReviews are served here, not " + r.URL.Path
	return err
}

func isTrue(parameter string) bool { return parameter == "true" || parameter == "1" }

func parse(r *http.Request) (*request, error) {
	req := &request{Request: r, verb: Verb(r), query: r.URL.Query()}
	var known bool
	if req.key.Namespace, req.key.Name, known = target(r.URL.Path); !known {
		return nil, notServed(r)
	}
	if req.verb == "" {
		return nil, apierrors.NewMethodNotSupported(resource, strings.ToLower(r.Method))
	}
	var err error
	if req.labels, err = labels.Parse(req.query.Get("labelSelector")); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if req.fields, err = fields.ParseSelector(req.query.Get("fieldSelector")); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	for _, requirement := range req.fields.Requirements() {
		if requirement.Field != metav1.ObjectNameField && requirement.Field != "metadata.namespace" {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", requirement.Field))
		}
	}
	if req.key.Name == "" {
		req.key.Name, _ = req.fields.RequiresExactMatch(metav1.ObjectNameField)
	}
	if r.Method != http.MethodGet {
		req.body, err = readBody(r)
	}
	return req, err
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(body) > maxRequestBytes {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxRequestBytes))
	}
	return body, nil
}

// matches reports whether a list or watch selects the object.
func (req *request) matches(object *corev1.ConfigMap) bool {
	return object != nil &&
		(req.key.Namespace == "" || req.key.Namespace == object.Namespace) &&
		(req.key.Name == "" || req.key.Name == object.Name) &&
		req.fields.Matches(fields.Set{metav1.ObjectNameField: object.Name, "metadata.namespace": object.Namespace}) &&
		req.labels.Matches(labels.Set(object.Labels))
}

// dryRun reports whether the request must not change anything.
func (req *request) dryRun() bool { return req.query.Get("dryRun") == metav1.DryRunAll }

// manager returns the name of the field manager.
func (req *request) manager() string {
	if manager := req.query.Get("fieldManager"); manager != "" {
		return manager
	}
	manager, _, _ := strings.Cut(req.UserAgent(), "/")
	if manager == "" {
		return "unknown"
	}
	return manager[:min(len(manager), 128)]
}

// object returns the ConfigMap that the request carries.
func (req *request) object() (*corev1.ConfigMap, error) {
	object := &corev1.ConfigMap{}
	if err := decodeInto(req.body, object); err != nil {
		return nil, err
	}
	return object, nil
}

// decodeInto reads JSON, YAML or protobuf, as clients send it.
func decodeInto(body []byte, into runtime.Object) error {
	kinds, _, err := scheme.Scheme.ObjectKinds(into)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	decoded, kind, err := scheme.Codecs.UniversalDeserializer().Decode(body, &kinds[0], into)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if decoded != into {
		return apierrors.NewBadRequest(fmt.Sprintf("the object is a %s, not a %s", kind.Kind, kinds[0].Kind))
	}
	return nil
}
