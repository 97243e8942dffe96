package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

//go:embed rbac.yaml
var manifest []byte

// account is the user name of the manifest's service account.
const account = "system:serviceaccount:default:jobs"

// grant applies the manifest, and returns the path of a kubeconfig with its rights,
// which goes when the control plane does.
func grant(ctx context.Context, plane *kube.ControlPlane) (string, error) {
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		return "", err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return "", err
		}
		switch object := object.(type) {
		case *rbacv1.Role:
			_, err = client.RbacV1().Roles(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			_, err = client.RbacV1().RoleBindings(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
		case *corev1.ServiceAccount:
			_, err = client.CoreV1().ServiceAccounts(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
		default:
			err = fmt.Errorf("the manifest has a %T", object)
		}
		if err != nil {
			return "", err
		}
	}
	path := filepath.Join(filepath.Dir(plane.Kubeconfig()), name+".kubeconfig")
	return path, kube.WriteKubeconfig(plane.User(account), metav1.NamespaceDefault, path)
}

// readMap reads the map as somebody with kubectl does.
func readMap(ctx context.Context, plane *kube.ControlPlane) (map[string]string, error) {
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		return nil, err
	}
	object, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return object.Data, nil
}
