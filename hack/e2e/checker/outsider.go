package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// outsiderAnnotation names the outsider's edit that made a version, so that old
// marks in it are known to be just contents that somebody has put back.
const outsiderAnnotation = "checker/outsider"

// An Outsider writes to the map as people do with kubectl. Its methods may be
// called from any goroutine; they return what the API server said.
type Outsider struct {
	run  *Run
	name string
	maps typedcorev1.ConfigMapInterface
}

// An edit is a foreign write that the API server has acknowledged.
type edit struct {
	name string // in the annotation; empty when it could not be written there
	span
	revision int64 // 0 for a deletion
}

// Create creates the map.
func (o *Outsider) Create(ctx context.Context, data map[string]string) error {
	return o.record(func(name string) (*corev1.ConfigMap, error) {
		return o.maps.Create(ctx, o.object(name, data), metav1.CreateOptions{})
	})
}

// Replace puts data in place of whatever is there, without a look at it, as
// kubectl replace does; annotations go too.
func (o *Outsider) Replace(ctx context.Context, data map[string]string) error {
	return o.record(func(name string) (*corev1.ConfigMap, error) {
		return o.maps.Update(ctx, o.object(name, data), metav1.UpdateOptions{})
	})
}

// Patch applies a JSON merge patch, as kubectl patch --type=merge does.
func (o *Outsider) Patch(ctx context.Context, mergePatch string) error {
	return o.record(func(name string) (*corev1.ConfigMap, error) {
		return o.maps.Patch(ctx, o.run.name, types.MergePatchType, signed(mergePatch, name), metav1.PatchOptions{})
	})
}

// Edit reads the map, lets fn change it and writes it back unless somebody has
// written to it meanwhile, as kubectl edit does.
func (o *Outsider) Edit(ctx context.Context, fn func(*corev1.ConfigMap)) error {
	return o.record(func(name string) (*corev1.ConfigMap, error) {
		object, err := o.maps.Get(ctx, o.run.name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		fn(object)
		metav1.SetMetaDataAnnotation(&object.ObjectMeta, outsiderAnnotation, name)
		return o.maps.Update(ctx, object, metav1.UpdateOptions{})
	})
}

// Delete deletes the map.
func (o *Outsider) Delete(ctx context.Context) error {
	return o.record(func(string) (*corev1.ConfigMap, error) {
		return nil, o.maps.Delete(ctx, o.run.name, metav1.DeleteOptions{})
	})
}

// Recreate deletes the map, if it is there, and creates it anew.
func (o *Outsider) Recreate(ctx context.Context, data map[string]string) error {
	if err := o.Delete(ctx); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return o.Create(ctx, data)
}

// Restore deletes the map and creates it anew as it was before, as kubectl
// delete and kubectl create do with what kubectl get had shown.
func (o *Outsider) Restore(ctx context.Context) error {
	before, err := o.maps.Get(ctx, o.run.name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("outsider %s: %w", o.name, err)
	}
	if err := o.Delete(ctx); err != nil {
		return err
	}
	return o.record(func(name string) (*corev1.ConfigMap, error) {
		object := o.object(name, before.Data)
		object.BinaryData, object.Labels = before.BinaryData, before.Labels
		for key, value := range before.Annotations {
			if key != outsiderAnnotation {
				object.Annotations[key] = value
			}
		}
		return o.maps.Create(ctx, object, metav1.CreateOptions{})
	})
}

func (o *Outsider) record(do func(name string) (*corev1.ConfigMap, error)) error {
	e := edit{name: o.run.nonce + "." + o.name + "." + strconv.FormatInt(o.run.edits.Add(1), 10)}
	e.call = o.run.clock.now()
	object, err := do(e.name)
	e.ret = o.run.clock.now()
	if err != nil {
		return fmt.Errorf("outsider %s: %w", o.name, err)
	}
	if object != nil {
		e.revision = revisionOf(object.ResourceVersion)
	}
	o.run.add(func(rec *record) { rec.edits = append(rec.edits, e) })
	return nil
}

// FamilyLabel is a label of the maps that an Outsider creates. Its value is the map's name.
const FamilyLabel = "family"

func (o *Outsider) object(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: o.run.name, Labels: map[string]string{FamilyLabel: o.run.name}, Annotations: map[string]string{outsiderAnnotation: name}},
		Data:       data,
	}
}

// signed adds the annotation to a merge patch, unless it removes annotations or
// is not an object.
func signed(mergePatch, name string) []byte {
	var patch map[string]any
	if json.Unmarshal([]byte(mergePatch), &patch) == nil && patch != nil &&
		unstructured.SetNestedField(patch, name, "metadata", "annotations", outsiderAnnotation) == nil {
		if text, err := json.Marshal(patch); err == nil {
			return text
		}
	}
	return []byte(mergePatch)
}
