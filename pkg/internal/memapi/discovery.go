package memapi

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

// discovery is what a server says of itself, by path: as much as kubectl asks for.
var discovery = map[string]any{
	"/version": version.Info{Major: "1", Minor: "0", GitVersion: "v1.0.0-in-memory"},
	"/api": metav1.APIVersions{
		TypeMeta: metav1.TypeMeta{Kind: "APIVersions"},
		Versions: []string{"v1"},
	},
	"/apis": metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"},
		Groups:   []metav1.APIGroup{},
	},
	"/api/v1": metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList"},
		GroupVersion: "v1",
		APIResources: []metav1.APIResource{{
			Name: resource.Resource, SingularName: "configmap", Kind: "ConfigMap", Namespaced: true, ShortNames: []string{"cm"},
			Verbs: metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"},
		}},
	},
	// So that kubectl leaves it to the server to find unknown fields.
	"/openapi/v3": map[string]any{"paths": map[string]any{
		"api/v1": map[string]any{"serverRelativeURL": "/openapi/v3/api/v1"},
	}},
	"/openapi/v3/api/v1": map[string]any{
		"openapi": "3.0.0",
		"info":    map[string]any{"title": "Kubernetes", "version": "v1.0.0-in-memory"},
		"paths": map[string]any{
			"/api/v1/namespaces/{namespace}/configmaps/{name}": map[string]any{
				"patch": map[string]any{
					"x-kubernetes-action":             "patch",
					"x-kubernetes-group-version-kind": map[string]any{"group": "", "version": "v1", "kind": "ConfigMap"},
					"parameters":                      []any{map[string]any{"name": "fieldValidation", "in": "query", "schema": map[string]any{"type": "string"}}},
					"responses":                       map[string]any{"200": map[string]any{"description": "OK"}},
				},
			},
		},
	},
}

// discover answers a request about the server itself, and reports whether it was one.
func discover(w http.ResponseWriter, r *http.Request) bool {
	answer, ok := discovery[r.URL.Path]
	if !ok || r.Method != http.MethodGet {
		return false
	}
	reply(w, http.StatusOK, answer)
	return true
}
