package memapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Answers are always JSON. Clients that prefer protobuf accept what the Content-Type
// names.

// typed returns the object with its kind, which the log does not store.
func typed(object any) any {
	switch o := object.(type) {
	case *corev1.ConfigMap:
		named := *o
		named.APIVersion, named.Kind = "v1", "ConfigMap"
		return &named
	case *corev1.ConfigMapList:
		o.APIVersion, o.Kind = "v1", "ConfigMapList"
	case *authorizationv1.SelfSubjectAccessReview:
		o.APIVersion, o.Kind = authorizationv1.SchemeGroupVersion.String(), "SelfSubjectAccessReview"
	case *metav1.Status:
		o.APIVersion, o.Kind = "v1", "Status"
	}
	return object
}

func reply(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(typed(object)) // an error means that the client has gone
}

// ReplyError answers with the Status of an error.
func ReplyError(w http.ResponseWriter, err error) {
	status := apierrors.NewInternalError(err).Status()
	if known, ok := errors.AsType[*apierrors.StatusError](err); ok {
		status = known.Status()
	}
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	reply(w, int(status.Code), &status)
}
