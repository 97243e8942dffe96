package main

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Every test runs the manager as the service account of rbac.yaml, so that its
// rights are enough is known.
func TestTheManifestGivesTheControllerNoMoreThanItNeeds(t *testing.T) {
	s := runs(t)
	ns := s.cluster.namespace
	scaler, err := client.New(s.cluster.scaler(), client.Options{})
	s.must(err)
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web-1"}}
	for what, err := range map[string]error{
		"write the map":          s.store.Set(t.Context(), "web", "9"),
		"read another map":       scaler.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "other"}, &corev1.ConfigMap{}),
		"list all maps":          scaler.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)),
		"change a Deployment":    scaler.Patch(t.Context(), web.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`))),
		"patch a scale":          scaler.SubResource("scale").Patch(t.Context(), web.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":9}}`))),
		"read a scale":           scaler.SubResource("scale").Get(t.Context(), web.DeepCopy(), &autoscalingv1.Scale{}),
		"delete a Deployment":    scaler.Delete(t.Context(), web.DeepCopy()),
		"list other namespaces'": scaler.List(t.Context(), &appsv1.DeploymentList{}),
		"read a Secret":          scaler.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "other"}, &corev1.Secret{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("to %s is not forbidden: %v", what, err)
		}
	}
}

func TestAManagerThatMayNotReadTheMapEndsAndNamesTheRight(t *testing.T) {
	s := newSite(t, func(c *cluster) {
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "scaler"}}
		if err := c.client.Patch(t.Context(), role, client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/rules/0"}]`))); err != nil {
			t.Fatal(err)
		}
	})
	err := s.manager.Start(s.within(30 * time.Second))
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `cannot list resource "configmaps"`) {
		t.Errorf("the manager ended with: %v", err)
	}
	if calls := s.recorder.calls.Load(); len(calls) > 0 {
		t.Errorf("without the map these were reconciled: %v", calls)
	}
}
