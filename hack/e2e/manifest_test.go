package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// The manifest of the README, applied as it is but for the namespace, gives
// service accounts what a reader and a writer need, and no more.
func TestTheRBACManifest(t *testing.T) {
	s := newSite(t)
	s.applyManifest()
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
}

// Whoever takes over a pod with one of the manifest's roles reaches the one map,
// and nothing else in the namespace: no other map, no kind of resource that the
// server has, by no verb.
func TestTheManifestsRolesReachNothingElse(t *testing.T) {
	s := newSite(t)
	s.applyManifest()
	s.create(map[string]string{"k": "v"})
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "another"}}
	if _, err := s.outside.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for account, verbs := range map[string][]string{
		"my-reader": {"get", "list", "watch"},
		"my-writer": {"create", "get", "list", "patch", "update", "watch"},
	} {
		t.Run(account, func(t *testing.T) {
			config := s.plane.Config()
			s.asServiceAccount(account)(config, nil)
			client := clientFor(t, config)
			asked := 0
			for _, resource := range s.namespacedResources() {
				for _, verb := range []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} {
					for _, name := range []string{"", "another", mapName} {
						allowed := s.isAllowed(client, verb, resource, name)
						asked++
						want := resource.Group == "" && resource.Resource == "configmaps" && name == mapName && slices.Contains(verbs, verb)
						if allowed != want {
							t.Errorf("may %s %s %q: %v, want %v", verb, resource, name, allowed, want)
						}
					}
				}
			}
			if asked < 500 {
				t.Errorf("only %d questions were asked", asked)
			}

			// What the server says of itself is also what it does.
			maps := client.CoreV1().ConfigMaps(s.namespace)
			for what, err := range map[string]error{
				"get":              errorOf(maps.Get(t.Context(), "another", metav1.GetOptions{})),
				"list":             errorOf(maps.List(t.Context(), metav1.ListOptions{})),
				"watch":            errorOf(maps.Watch(t.Context(), metav1.ListOptions{})),
				"update":           errorOf(maps.Update(t.Context(), other, metav1.UpdateOptions{})),
				"patch":            errorOf(maps.Patch(t.Context(), "another", types.MergePatchType, []byte(`{"data":{"k":"w"}}`), metav1.PatchOptions{})),
				"apply":            errorOf(maps.Apply(t.Context(), applycorev1.ConfigMap("another", s.namespace), metav1.ApplyOptions{FieldManager: "mapstore"})),
				"create":           errorOf(maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: mapName}}, metav1.CreateOptions{})),
				"delete":           maps.Delete(t.Context(), mapName, metav1.DeleteOptions{}),
				"deletecollection": maps.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}),
				"list secrets":     errorOf(client.CoreV1().Secrets(s.namespace).List(t.Context(), metav1.ListOptions{})),
			} {
				if !apierrors.IsForbidden(err) {
					t.Errorf("%s: %v, want it forbidden", what, err)
				}
			}
		})
	}
}

func errorOf[T any](_ T, err error) error { return err }

// namespacedResources returns what the server has in a namespace, subresources
// included.
func (s *site) namespacedResources() []schema.GroupResource {
	s.Helper()
	_, lists, err := s.outside.Discovery().ServerGroupsAndResources()
	if err != nil {
		s.Fatal(err)
	}
	var all []schema.GroupResource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			s.Fatal(err)
		}
		for _, resource := range list.APIResources {
			if resource.Namespaced {
				all = append(all, schema.GroupResource{Group: version.Group, Resource: resource.Name})
			}
		}
	}
	return all
}

// isAllowed asks the server about the client's own rights.
func (s *site) isAllowed(client *kubernetes.Clientset, verb string, resource schema.GroupResource, name string) bool {
	s.Helper()
	plain, sub, _ := strings.Cut(resource.Resource, "/")
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(s.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: s.namespace, Verb: verb, Group: resource.Group, Resource: plain, Subresource: sub, Name: name,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return review.Status.Allowed
}

// applyManifest applies the README's manifest to the site's namespace.
func (s *site) applyManifest() {
	s.Helper()
	manifest, err := os.ReadFile("../../examples/rbac.yaml")
	if err != nil {
		s.Fatal(err)
	}
	manifest = bytes.ReplaceAll(manifest, []byte("namespace: default"), []byte("namespace: "+s.namespace))
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			s.Fatal(err)
		}
		s.apply(document)
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
