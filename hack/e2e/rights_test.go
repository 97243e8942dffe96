package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// The manifest of the README, applied as it is but for the namespace, gives service
// accounts what a reader and a writer need. Whoever takes over a pod with one of its
// roles reaches the one map, and nothing else in the namespace: no other map, no
// kind of resource, by no verb.
func TestTheManifestsRolesSufficeAndReachNothingElse(t *testing.T) {
	s := newSite(t)
	s.applyManifest()
	readerIs, writerIs := s.serviceAccount("my-reader"), s.serviceAccount("my-writer")
	reading := s.storeOf(s.client(readerIs, nil), mapstore.Options{})
	writing := s.storeOf(s.client(writerIs, nil), mapstore.Options{})
	if err := writing.Verify(s.within()); err != nil {
		t.Errorf("the writer lacks rights: %v", err)
	}
	written, err := writing.Update(s.within(), rig.Increment("n"))
	if err != nil {
		t.Fatalf("the writer: %v", err)
	}
	if n, _ := s.waitFor(reading, written.Revision()).Get("n"); n != "1" {
		t.Errorf("the reader reads %q", n)
	}
	if _, err := reading.Sync(s.within()); err != nil {
		t.Errorf("the reader's Sync: %v", err)
	}
	if err := reading.Set(s.within(), "n", "7"); !apierrors.IsForbidden(err) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the reader writes: %v", err)
	}
	if err := reading.Verify(s.within()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "update, patch, create") || strings.Contains(err.Error(), "get") {
		t.Errorf("Verify for the reader: %v, want it to name what a reader lacks", err)
	}
	nobodys := s.rights(s.serviceAccount("nobody"))
	for _, row := range []struct {
		config *rest.Config
		verbs  []string
	}{
		{readerIs, []string{"get", "list", "watch"}},
		{writerIs, []string{"create", "get", "list", "patch", "update", "watch"}},
	} {
		rights := slices.DeleteFunc(s.rights(row.config), func(right string) bool { return slices.Contains(nobodys, right) })
		var want []string
		for _, verb := range row.verbs {
			want = append(want, fmt.Sprint(verb, []string{""}, []string{"configmaps"}, []string{mapName}))
		}
		if !slices.Equal(rights, want) {
			t.Errorf("the rights are %q, want %q", rights, want)
		}
	}
}

// A family needs to list and watch the namespace, and may write by name only.
func TestAFamilyNeedsNoMoreThanItsGuideSays(t *testing.T) {
	s := newSite(t)
	config := s.serviceAccount("tenants")
	const user = "system:serviceaccount:%s:tenants"
	if err := s.plane.Grant(s.within(), s.namespace, fmt.Sprintf(user, s.namespace),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{mapName}, Verbs: []string{"get", "update", "patch", "create"}},
	); err != nil {
		t.Fatal(err)
	}
	family, err := mapstore.NewFamily(s.client(config, nil), s.namespace, "app=shop", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = family.Start(context.Background()) }) // it ends by Close
	defer running.Wait()
	defer family.Close()
	if err := errors.Join(family.WaitForSync(s.within()), family.Verify(s.within()), family.Store(mapName).Verify(s.within())); err != nil {
		t.Fatal(err)
	}
	if _, err := family.Store(mapName).Update(s.within(), rig.Increment("n")); err != nil {
		t.Errorf("a write by name: %v", err)
	}
	if err := family.Store("another").Set(s.within(), "k", "v"); !apierrors.IsForbidden(err) {
		t.Errorf("a write that is not granted: %v", err)
	}
	if names := family.Names(); !slices.Equal(names, []string{mapName}) {
		t.Errorf("Names = %q", names)
	}
}

// rights returns all that the server says a client has in the namespace, sorted.
func (s *site) rights(config *rest.Config) (rights []string) {
	s.Helper()
	review, err := s.client(config, nil).AuthorizationV1().SelfSubjectRulesReviews().Create(s.within(), &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: s.namespace},
	}, metav1.CreateOptions{})
	if err != nil || review.Status.Incomplete {
		s.Fatalf("not all rights are known: %v, %s", err, review.Status.EvaluationError)
	}
	for _, rule := range review.Status.ResourceRules {
		for _, verb := range rule.Verbs {
			rights = append(rights, fmt.Sprint(verb, rule.APIGroups, rule.Resources, rule.ResourceNames))
		}
	}
	slices.Sort(rights)
	return rights
}

func errorOf[T any](_ T, err error) error { return err }

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
		var object runtime.Object
		if err == nil {
			object, _, err = scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		}
		switch object := object.(type) {
		case *rbacv1.Role:
			_, err = s.outside.RbacV1().Roles(s.namespace).Create(s.within(), object, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			_, err = s.outside.RbacV1().RoleBindings(s.namespace).Create(s.within(), object, metav1.CreateOptions{})
		}
		if err != nil || object == nil {
			s.Fatalf("%v: %s", err, document)
		}
	}
}

// serviceAccount returns what makes a client be what a pod would be.
func (s *site) serviceAccount(name string) *rest.Config {
	s.Helper()
	accounts := s.outside.CoreV1().ServiceAccounts(s.namespace)
	if _, err := accounts.Create(s.within(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
	token, err := accounts.CreateToken(s.within(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	config := rest.AnonymousClientConfig(s.plane.Config())
	config.BearerToken, config.QPS = token.Status.Token, -1
	return config
}
