package mapstoretest

import (
	"context"
	"maps"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// A ConfigMap is one map as others in the cluster read and write it: people with
// kubectl, or another program. Its requests bypass all faults. If the API server
// refuses one, the test fails.
type ConfigMap struct {
	t    testing.TB
	name string
	maps clientv1.ConfigMapInterface

	labels map[string]string // of a map that it creates
}

// Labelled returns the same map, which gets these labels when a method creates it.
func (m *ConfigMap) Labelled(labels map[string]string) *ConfigMap {
	labelled := *m
	labelled.labels = labels
	return &labelled
}

// ConfigMap returns the map of this name, which need not exist.
func (a *API) ConfigMap(namespace, name string) *ConfigMap {
	a.t.Helper()
	config := &rest.Config{Host: "http://mapstoretest.invalid", Transport: &a.cluster.outside, QPS: -1, UserAgent: "kubectl-edit"}
	return outsider(a.t, config, namespace, name)
}

func outsider(t testing.TB, config *rest.Config, namespace, name string) *ConfigMap {
	t.Helper()
	client, err := clientv1.NewForConfig(config)
	if err != nil {
		t.Fatalf("mapstoretest: %v", err)
	}
	return &ConfigMap{t: t, name: name, maps: client.ConfigMaps(namespace)}
}

// Get returns the object, or nil if there is none.
func (m *ConfigMap) Get() *corev1.ConfigMap {
	m.t.Helper()
	object, err := m.maps.Get(context.Background(), m.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	m.check(err)
	return object
}

// Values returns the values of the map, of data and binaryData, and an empty map if
// it does not exist.
func (m *ConfigMap) Values() map[string]string {
	m.t.Helper()
	values := make(map[string]string)
	if object := m.Get(); object != nil {
		maps.Copy(values, object.Data)
		for key, value := range object.BinaryData {
			values[key] = string(value)
		}
	}
	return values
}

// Set sets one key, and creates the map if it does not exist.
func (m *ConfigMap) Set(key, value string) *corev1.ConfigMap {
	m.t.Helper()
	return m.Edit(func(object *corev1.ConfigMap) { put(object, key, value) })
}

// Put replaces all values of the map, and creates it if it does not exist.
func (m *ConfigMap) Put(values map[string]string) *corev1.ConfigMap {
	m.t.Helper()
	return m.Edit(func(object *corev1.ConfigMap) {
		object.Data, object.BinaryData = nil, nil
		for key, value := range values {
			put(object, key, value)
		}
	})
}

// put stores text under data and anything else under binaryData, as a store does.
func put(object *corev1.ConfigMap, key, value string) {
	delete(object.Data, key)
	delete(object.BinaryData, key)
	if !utf8.ValidString(value) {
		if object.BinaryData == nil {
			object.BinaryData = make(map[string][]byte)
		}
		object.BinaryData[key] = []byte(value)
		return
	}
	if object.Data == nil {
		object.Data = make(map[string]string)
	}
	object.Data[key] = value
}

// Edit changes the object, as kubectl edit does, and creates it if it does not
// exist. It returns the object that the API server has stored. The function is
// called again when somebody else writes in between.
func (m *ConfigMap) Edit(change func(*corev1.ConfigMap)) *corev1.ConfigMap {
	m.t.Helper()
	for {
		object := m.Get()
		absent := object == nil
		if absent {
			object = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: maps.Clone(m.labels)}}
		}
		change(object)
		var err error
		if absent {
			object, err = m.maps.Create(context.Background(), object, metav1.CreateOptions{})
		} else {
			object, err = m.maps.Update(context.Background(), object, metav1.UpdateOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || !absent && apierrors.IsNotFound(err) {
			continue
		}
		m.check(err)
		return object
	}
}

// Delete deletes the map, if it exists.
func (m *ConfigMap) Delete() {
	m.t.Helper()
	err := m.maps.Delete(context.Background(), m.name, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		m.check(err)
	}
}

func (m *ConfigMap) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("mapstoretest: ConfigMap %s: %v", m.name, err)
	}
}
