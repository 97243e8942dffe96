package memapi

import (
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
	if err := adopt(object, types.NamespacedName{Namespace: req.key.Namespace, Name: object.Name}); err != nil {
		return nil, err
	}
	if s.log.objects[keyOf(object)] != nil {
		return nil, apierrors.NewAlreadyExists(resource, object.Name)
	}
	stamp(object)
	if object, err = track(&corev1.ConfigMap{}, object, req.manager()); err != nil {
		return nil, err
	}
	return s.storeLocked(req, object, nil)
}

// stamp gives a new object its UID and its time of creation.
func stamp(object *corev1.ConfigMap) {
	object.UID = uuid.NewUUID()
	object.CreationTimestamp = now()
	object.DeletionTimestamp, object.DeletionGracePeriodSeconds = nil, nil
	object.Generation = 0
}

// now returns the time in whole seconds, as objects have it.
func now() metav1.Time { return new(metav1.Now()).Rfc3339Copy() }

// adopt checks that the object has the name and namespace of the request's path.
func adopt(object *corev1.ConfigMap, key types.NamespacedName) error {
	if object.Namespace != "" && object.Namespace != key.Namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	if object.Name != key.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", object.Name, key.Name))
	}
	object.Namespace = key.Namespace
	return nil
}

func (s *Server) updateLocked(req *request, current *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	object, err := req.object()
	if err != nil {
		return nil, err
	}
	return s.replaceLocked(req, object, current)
}

// replaceLocked stores object in place of current, if current is what the client has
// seen.
func (s *Server) replaceLocked(req *request, object, current *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	if err := adopt(object, req.key); err != nil {
		return nil, err
	}
	if err := precondition(object, current); err != nil {
		return nil, err
	}
	preserveMeta(object, current)
	object, err := track(current, object, req.manager())
	if err != nil {
		return nil, err
	}
	return s.storeLocked(req, object, current)
}

// precondition returns a conflict if the client has not seen the current version.
func precondition(seen, current *corev1.ConfigMap) error {
	if seen.UID != "" && seen.UID != current.UID {
		return apierrors.NewConflict(resource, current.Name, fmt.Errorf("Precondition failed: UID in precondition: %s, UID in object meta: %s", seen.UID, current.UID)) //nolint:staticcheck // as a server says it
	}
	if seen.ResourceVersion != "" && seen.ResourceVersion != current.ResourceVersion {
		return apierrors.NewConflict(resource, current.Name, errModified)
	}
	return nil
}

// preserveMeta keeps the metadata that an update cannot change.
func preserveMeta(object, current *corev1.ConfigMap) {
	object.UID, object.ResourceVersion = current.UID, current.ResourceVersion
	object.CreationTimestamp, object.Generation = current.CreationTimestamp, current.Generation
	object.DeletionTimestamp, object.DeletionGracePeriodSeconds = current.DeletionTimestamp, current.DeletionGracePeriodSeconds
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

func (s *Server) deleteLocked(req *request, current *corev1.ConfigMap) (any, error) {
	options := &metav1.DeleteOptions{}
	if len(req.body) > 0 {
		if err := decodeInto(req.body, options); err != nil {
			return nil, err
		}
	}
	if p := options.Preconditions; p != nil {
		seen := &corev1.ConfigMap{}
		if p.UID != nil {
			seen.UID = *p.UID
		}
		if p.ResourceVersion != nil {
			seen.ResourceVersion = *p.ResourceVersion
		}
		if err := precondition(seen, current); err != nil {
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
