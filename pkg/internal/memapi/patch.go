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

func (s *Server) patchLocked(req *request) (*corev1.ConfigMap, int, error) {
	current := s.log.objects[req.key]
	switch kind := types.PatchType(req.Header.Get("Content-Type")); kind {
	case types.ApplyYAMLPatchType:
		return s.applyLocked(req, current)
	case types.MergePatchType, types.StrategicMergePatchType:
		if current == nil {
			return nil, 0, apierrors.NewNotFound(resource, req.key.Name)
		}
		object, err := merged(current, req.body, kind)
		if err == nil {
			object, err = s.replaceLocked(req, object, current)
		}
		return object, http.StatusOK, err
	default:
		return nil, 0, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "patch", resource, req.key.Name,
			fmt.Sprintf("patches of type %q are not supported here", kind), 0, true)
	}
}

// applyLocked creates the object if it does not exist, for which the client needs the
// right to create as well.
func (s *Server) applyLocked(req *request, current *corev1.ConfigMap) (*corev1.ConfigMap, int, error) {
	if req.query.Get("fieldManager") == "" {
		return nil, 0, apierrors.NewBadRequest("fieldManager is required for apply patch")
	}
	patch := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(req.body, &patch.Object); err != nil {
		return nil, 0, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if name := patch.GetName(); name != "" && name != req.key.Name {
		return nil, 0, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, req.key.Name))
	}
	if namespace := patch.GetNamespace(); namespace != "" && namespace != req.key.Namespace {
		return nil, 0, apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	if patch.GroupVersionKind() != kind {
		return nil, 0, apierrors.NewBadRequest("apply needs the apiVersion and kind of a ConfigMap")
	}
	seen := &corev1.ConfigMap{}
	seen.UID, seen.ResourceVersion = patch.GetUID(), patch.GetResourceVersion()
	base, code := current, http.StatusOK
	if current == nil {
		if err := controlOf(req.Context()).authorizeFor(req, "create"); err != nil {
			return nil, 0, err
		}
		base, code = &corev1.ConfigMap{}, http.StatusCreated
		base.Name, base.Namespace = req.key.Name, req.key.Namespace
		if seen.UID != "" {
			return nil, 0, apierrors.NewConflict(resource, req.key.Name, fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", seen.UID))
		}
	} else if err := precondition(seen, current); err != nil {
		return nil, 0, err
	}
	object, err := apply(base, patch, req.query.Get("fieldManager"), isTrue(req.query.Get("force")))
	if err != nil {
		return nil, 0, err
	}
	if current == nil {
		object.ResourceVersion = ""
		stamp(object)
	} else {
		preserveMeta(object, current)
	}
	object, err = s.storeLocked(req, object, current)
	return object, code, err
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
