package memapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func (s *Server) patchLocked(req *request) (object *corev1.ConfigMap, code int, err error) {
	current := s.log.objects[req.key]
	switch kind := types.PatchType(req.Header.Get("Content-Type")); kind {
	case types.ApplyYAMLPatchType:
		if code = http.StatusOK; current == nil {
			code = http.StatusCreated
		}
		object, err = s.applyLocked(req, current)
		return object, code, err
	case types.MergePatchType, types.StrategicMergePatchType:
		if current == nil {
			return nil, 0, apierrors.NewNotFound(resource, req.key.Name)
		}
		if object, err = merged(current, req.body, kind); err == nil {
			object, err = s.replaceLocked(req, current, object)
		}
		return object, http.StatusOK, err
	default:
		return nil, 0, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "patch", resource, req.key.Name,
			fmt.Sprintf("patches of type %q are not supported here", kind), 0, true)
	}
}

// applyLocked creates the object if it does not exist, for which the client needs the
// right to create as well.
func (s *Server) applyLocked(req *request, current *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	manager := req.query.Get("fieldManager")
	if manager == "" {
		return nil, apierrors.NewBadRequest("fieldManager is required for apply patch")
	}
	patch := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(req.body, &patch.Object); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if patch.GroupVersionKind() != kind {
		return nil, apierrors.NewBadRequest("apply needs the apiVersion and kind of a ConfigMap")
	}
	if patch.GetName() == "" {
		patch.SetName(req.key.Name)
	}
	if current == nil {
		if err := controlOf(req.Context()).authorizeFor(req, "create"); err != nil {
			return nil, err
		}
		if uid := patch.GetUID(); uid != "" {
			return nil, apierrors.NewConflict(resource, req.key.Name, fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", uid))
		}
	}
	return s.writeLocked(req, current, patch, func(base *corev1.ConfigMap) (*corev1.ConfigMap, error) {
		return apply(base, patch, manager, isTrue(req.query.Get("force")))
	})
}

// merged returns current after a patch of its JSON.
func merged(current *corev1.ConfigMap, patch []byte, kind types.PatchType) (*corev1.ConfigMap, error) {
	before, err := json.Marshal(current)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	var after []byte
	if kind == types.StrategicMergePatchType {
		after, err = strategicpatch.StrategicMergePatch(before, patch, corev1.ConfigMap{})
	} else {
		after, err = mergePatch(before, patch)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	object := &corev1.ConfigMap{}
	return object, decodeInto(after, object)
}

// mergePatch applies a merge patch, RFC 7386.
func mergePatch(document, patch []byte) ([]byte, error) {
	var into, from map[string]any
	if err := json.Unmarshal(document, &into); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &from); err != nil {
		return nil, err
	}
	return json.Marshal(merge(into, from))
}

func merge(into, from map[string]any) map[string]any {
	if into == nil {
		into = make(map[string]any, len(from))
	}
	for name, value := range from {
		switch value := value.(type) {
		case nil:
			delete(into, name)
		case map[string]any:
			old, _ := into[name].(map[string]any)
			into[name] = merge(old, value)
		default:
			into[name] = value
		}
	}
	return into
}
