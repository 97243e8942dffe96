package memapi

import (
	"cmp"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

var errModified = errors.New("the object has been modified; please apply your changes to the latest version and try again")

// writeLocked stores what a client makes of current, which is nil if the object is to
// be created. The client says in sent which object it means and which version it has
// seen. The function gets current, or an empty object, and returns the new one with
// its managed fields.
func (s *Server) writeLocked(req *request, current *corev1.ConfigMap, sent metav1.Object, change func(base *corev1.ConfigMap) (*corev1.ConfigMap, error)) (*corev1.ConfigMap, error) {
	if namespace := sent.GetNamespace(); namespace != "" && namespace != req.key.Namespace {
		return nil, apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	if name := sent.GetName(); name != req.key.Name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, req.key.Name))
	}
	sent.SetNamespace(req.key.Namespace)
	base := current
	if current == nil {
		base = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: req.key.Name, Namespace: req.key.Namespace}}
	} else if err := precondition(sent.GetUID(), sent.GetResourceVersion(), current); err != nil {
		return nil, err
	}
	object, err := change(base)
	if err != nil {
		return nil, err
	}
	// What a client cannot set.
	if current == nil {
		base.UID, base.CreationTimestamp = uuid.NewUUID(), now()
	}
	object.UID, object.ResourceVersion = base.UID, base.ResourceVersion
	object.CreationTimestamp, object.Generation = base.CreationTimestamp, base.Generation
	object.DeletionTimestamp, object.DeletionGracePeriodSeconds = base.DeletionTimestamp, base.DeletionGracePeriodSeconds
	return s.storeLocked(req, object, current)
}

// now returns the time in whole seconds, as objects have it.
func now() metav1.Time { return new(metav1.Now()).Rfc3339Copy() }

// precondition returns a conflict if the client has not seen the current version.
func precondition(uid types.UID, revision string, current *corev1.ConfigMap) error {
	if uid != "" && uid != current.UID {
		return apierrors.NewConflict(resource, current.Name, fmt.Errorf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, current.UID)) //nolint:staticcheck // as a server says it
	}
	if revision != "" && revision != current.ResourceVersion {
		return apierrors.NewConflict(resource, current.Name, errModified)
	}
	return nil
}

// storeLocked validates and commits object on top of before, nil for a new one.
// An object that changes nothing keeps its version and is no event.
func (s *Server) storeLocked(req *request, object, before *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	if err := validate(object, before); err != nil {
		return nil, err
	}
	if tooLarge(object) {
		// A real server tries again without what it has added itself.
		if object.ManagedFields = nil; tooLarge(object) {
			return nil, apierrors.NewInternalError(errors.New("etcdserver: request is too large"))
		}
	}
	object.TypeMeta = metav1.TypeMeta{}
	change := apiwatch.Modified
	switch {
	case before == nil:
		change = apiwatch.Added
	case equality.Semantic.DeepEqual(object, before):
		return before, nil
	case object.DeletionTimestamp != nil && len(object.Finalizers) == 0:
		change = apiwatch.Deleted
	}
	if req.dryRun() {
		return object, nil
	}
	return s.log.commitLocked(change, object), nil
}

func (s *Server) createLocked(req *request) (*corev1.ConfigMap, error) {
	object, err := req.object()
	if err != nil {
		return nil, err
	}
	if object.ResourceVersion != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if object.Name == "" && object.GenerateName != "" {
		object.Name = object.GenerateName + rand.String(5)
	}
	req.key.Name = object.Name
	if s.log.objects[req.key] != nil {
		return nil, apierrors.NewAlreadyExists(resource, object.Name)
	}
	return s.replaceLocked(req, nil, object)
}

func (s *Server) updateLocked(req *request, current *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	object, err := req.object()
	if err != nil {
		return nil, err
	}
	return s.replaceLocked(req, current, object)
}

// replaceLocked stores object in place of current.
func (s *Server) replaceLocked(req *request, current, object *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	return s.writeLocked(req, current, object, func(base *corev1.ConfigMap) (*corev1.ConfigMap, error) {
		return track(base, object, req.manager())
	})
}

func (s *Server) deleteLocked(req *request, current *corev1.ConfigMap) (any, error) {
	options := &metav1.DeleteOptions{}
	if len(req.body) > 0 {
		if err := decodeInto(req.body, options); err != nil {
			return nil, err
		}
	}
	if p := options.Preconditions; p != nil {
		if err := precondition(*cmp.Or(p.UID, new(types.UID)), *cmp.Or(p.ResourceVersion, new(string)), current); err != nil {
			return nil, err
		}
	}
	object, dry := current.DeepCopy(), req.dryRun() || len(options.DryRun) > 0
	switch {
	case len(current.Finalizers) > 0 && current.DeletionTimestamp != nil:
		return current, nil
	case len(current.Finalizers) > 0:
		object.DeletionTimestamp, object.DeletionGracePeriodSeconds = new(now()), new(int64(0))
		if !dry {
			s.log.commitLocked(apiwatch.Modified, object)
		}
		return object, nil
	case !dry:
		s.log.commitLocked(apiwatch.Deleted, object)
	}
	return &metav1.Status{
		Status:  metav1.StatusSuccess,
		Details: &metav1.StatusDetails{Name: current.Name, Kind: resource.Resource, UID: current.UID},
	}, nil
}
