package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// The manifest of the README, applied as it is but for the namespace, gives
// service accounts what a reader and a writer need, and no more.
func TestTheRBACManifest(t *testing.T) {
	s := newSite(t)
	manifest, err := os.ReadFile("../../examples/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest = bytes.ReplaceAll(manifest, []byte("namespace: default"), []byte("namespace: "+s.namespace))
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.apply(document)
	}

	reader := s.store(s.asServiceAccount("my-reader"))
	writer := s.store(s.asServiceAccount("my-writer"))
	if err := writer.Verify(t.Context()); err != nil {
		t.Errorf("the writer lacks rights: %v", err)
	}
	written, err := writer.Update(t.Context(), func(tx *mapstore.Tx) error { tx.Set("k", "v"); return nil })
	if err != nil {
		t.Fatalf("the writer: %v", err)
	}
	if k, _ := s.waitForRevision(reader, written.Revision()).Get("k"); k != "v" {
		t.Errorf("the reader reads %q", k)
	}
	if err := reader.Set(t.Context(), "k", "w"); !apierrors.IsForbidden(err) {
		t.Errorf("the reader writes: %v", err)
	}
	if err := reader.Verify(t.Context()); !apierrors.IsForbidden(err) || strings.Contains(err.Error(), "get") {
		t.Errorf("Verify for the reader: %v", err)
	}
	config := s.plane.Config()
	s.asServiceAccount("my-writer")(config, nil)
	client := clientFor(t, config)
	if _, err := client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "another", metav1.GetOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the writer reads another map: %v", err)
	}
	if err := client.CoreV1().ConfigMaps(s.namespace).Delete(t.Context(), mapName, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the writer deletes the map: %v", err)
	}
}

func (s *site) apply(document []byte) {
	s.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		s.Fatal(err)
	}
	var err error
	switch kind.Kind {
	case "Role":
		var role rbacv1.Role
		if err = yaml.UnmarshalStrict(document, &role); err == nil {
			_, err = s.outside.RbacV1().Roles(s.namespace).Create(s.Context(), &role, metav1.CreateOptions{})
		}
	case "RoleBinding":
		var binding rbacv1.RoleBinding
		if err = yaml.UnmarshalStrict(document, &binding); err == nil {
			_, err = s.outside.RbacV1().RoleBindings(s.namespace).Create(s.Context(), &binding, metav1.CreateOptions{})
		}
	default:
		s.Fatalf("the manifest has a %q", kind.Kind)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// asServiceAccount returns what makes a store run as a pod would.
func (s *site) asServiceAccount(name string) func(*rest.Config, *mapstore.Options) {
	s.Helper()
	accounts := s.outside.CoreV1().ServiceAccounts(s.namespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(s.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		s.Fatal(err)
	}
	token, err := accounts.CreateToken(s.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return func(config *rest.Config, _ *mapstore.Options) {
		anonymous := rest.AnonymousClientConfig(config)
		anonymous.BearerToken, anonymous.QPS = token.Status.Token, -1
		*config = *anonymous
	}
}
