package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What somebody with kubectl does, who knows nothing of stores.

// createDeployment makes a Deployment whose tier is the part of its name before the
// hyphen, if there is one. It is paused, so that no pods come of it in a real cluster.
func (c *cluster) createDeployment(ctx context.Context, name string) error {
	labels := map[string]string{"app": name}
	if before, _, ok := strings.Cut(name, "-"); ok {
		labels[tier] = before
	}
	return c.client.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Paused:   true,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "pause", Image: "registry.k8s.io/pause:3.10"}}},
			},
		},
	})
}

// touch changes a Deployment without any effect.
func (c *cluster) touch(ctx context.Context, name string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"touched":%q}}}`, time.Now().Format(time.RFC3339Nano))
	object := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}}
	return c.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// replicas returns how many each Deployment should have, as the API server says.
func (c *cluster) replicas(ctx context.Context) (map[string]int32, error) {
	var list appsv1.DeploymentList
	err := c.client.List(ctx, &list, client.InNamespace(c.namespace))
	all := make(map[string]int32, len(list.Items))
	for _, deployment := range list.Items {
		all[deployment.Name] = *deployment.Spec.Replicas
	}
	return all, err
}

func (c *cluster) createMap(ctx context.Context, data map[string]string) error {
	return c.client.Create(ctx, &corev1.ConfigMap{ObjectMeta: c.mapMeta(), Data: data})
}

// set changes one key, as somebody with kubectl would.
func (c *cluster) set(ctx context.Context, key, value string) error {
	patch := fmt.Sprintf(`{"data":{%q:%q}}`, key, value)
	return c.client.Patch(ctx, &corev1.ConfigMap{ObjectMeta: c.mapMeta()}, client.RawPatch(types.MergePatchType, []byte(patch)))
}

func (c *cluster) deleteMap(ctx context.Context) error {
	return c.client.Delete(ctx, &corev1.ConfigMap{ObjectMeta: c.mapMeta()})
}

func (c *cluster) mapMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: c.namespace, Name: mapName}
}
