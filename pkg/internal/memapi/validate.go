package memapi

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// maxValueBytes is how many bytes the values may have together.
	// Source: ValidateConfigMap in kubernetes/pkg/apis/core/validation.
	maxValueBytes = 1 << 20

	// maxStoredBytes is etcd's default limit for one request, --max-request-bytes, and
	// storeOverhead is what a request contains besides the object.
	maxStoredBytes = 3 << 19
	storeOverhead  = 1 << 8
)

// validate returns an Invalid error for an object that a server would not store.
func validate(object, before *corev1.ConfigMap) error {
	errs := apivalidation.ValidateObjectMeta(&object.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	if before != nil {
		errs = append(errs, apivalidation.ValidateObjectMetaUpdate(&object.ObjectMeta, &before.ObjectMeta, field.NewPath("metadata"))...)
		errs = append(errs, validateImmutable(object, before)...)
	}
	errs = append(errs, validateEntries(object)...)
	if len(errs) > 0 {
		return apierrors.NewInvalid(kind.GroupKind(), object.Name, errs)
	}
	return nil
}

func validateEntries(object *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	check := func(path *field.Path, key string, bytes int) {
		for _, problem := range validation.IsConfigMapKey(key) {
			errs = append(errs, field.Invalid(path.Key(key), key, problem))
		}
		size += bytes
	}
	for key, value := range object.Data {
		check(field.NewPath("data"), key, len(value))
		if _, twice := object.BinaryData[key]; twice {
			errs = append(errs, field.Invalid(field.NewPath("data").Key(key), key, "duplicate of key present in binaryData"))
		}
	}
	for key, value := range object.BinaryData {
		check(field.NewPath("binaryData"), key, len(value))
	}
	if size > maxValueBytes {
		errs = append(errs, field.TooLong(field.NewPath(""), "", maxValueBytes))
	}
	return errs
}

func validateImmutable(object, before *corev1.ConfigMap) field.ErrorList {
	if before.Immutable == nil || !*before.Immutable {
		return nil
	}
	var errs field.ErrorList
	forbid := func(name string) {
		errs = append(errs, field.Forbidden(field.NewPath(name), "field is immutable when `immutable` is set"))
	}
	if object.Immutable == nil || !*object.Immutable {
		forbid("immutable")
	}
	if !equality.Semantic.DeepEqual(object.Data, before.Data) {
		forbid("data")
	}
	if !equality.Semantic.DeepEqual(object.BinaryData, before.BinaryData) {
		forbid("binaryData")
	}
	return errs
}

// tooLarge reports whether the object is too large for etcd.
func tooLarge(object *corev1.ConfigMap) bool {
	return object.Size()+storeOverhead > maxStoredBytes
}
