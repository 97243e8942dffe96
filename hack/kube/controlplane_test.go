//go:build unix

package kube

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The subtests share one control plane; each works in a namespace of its own. That processes
// can be killed, paused and set back in time the rows of hack/e2e/faults show.
func TestControlPlane(t *testing.T) {
	plane := start(t)
	for name, test := range map[string]func(*testing.T, *ControlPlane, string){
		"runs the versions that go.mod says":          testVersions,
		"the kubeconfig reaches it":                   testKubeconfig,
		"a user has the granted rights and no others": testGrant,
	} {
		t.Run(name, func(t *testing.T) {
			namespace, err := plane.Namespace(t.Context(), "test")
			if err != nil {
				t.Fatal(err)
			}
			test(t, plane, namespace)
		})
	}
}

func testVersions(t *testing.T, plane *ControlPlane, _ string) {
	apiServer, etcd, err := plane.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(assetsVariable) != "" {
		t.Skip("the binaries are not those that are built here")
	}
	server, err := chosenAPIServer()
	if err != nil {
		t.Fatal(err)
	}
	for source, got := range map[*source]string{&server: apiServer, &etcdSource: etcd} {
		want, err := source.version()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", source.name, got, want)
		}
	}
}

func testKubeconfig(t *testing.T, plane *ControlPlane, namespace string) {
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	create(t, config, namespace, "by-admin")

	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := WriteKubeconfig(plane.User("alice"), namespace, path); err != nil {
		t.Fatal(err)
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil)
	if got, _, err := loader.Namespace(); err != nil || got != namespace {
		t.Errorf("the namespace is %q, %v; want %q", got, err, namespace)
	}
	if config, err = loader.ClientConfig(); err != nil {
		t.Fatal(err)
	}
	who, err := client(t, config).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil || who.Status.UserInfo.Username != "alice" {
		t.Errorf("the user is %q, %v; want alice", who.Status.UserInfo.Username, err)
	}
}

func testGrant(t *testing.T, plane *ControlPlane, namespace string) {
	create(t, plane.Config(), namespace, "one")
	// One client, as a new one spends on its handshake what the API server needs to learn
	// of a grant.
	maps := client(t, plane.User("bob")).CoreV1().ConfigMaps(namespace)
	readOne := func() error {
		_, err := maps.Get(t.Context(), "one", metav1.GetOptions{})
		return err
	}

	if err := readOne(); !apierrors.IsForbidden(err) {
		t.Fatalf("before a grant: %v, want forbidden", err)
	}
	// Many rounds, as a grant that returns too early is mostly not noticed.
	for range 50 {
		grant(t, plane, namespace, "bob", rule("get", "one"), rule("watch", "one"))
		if err := readOne(); err != nil {
			t.Fatalf("granted: %v", err)
		}
		grant(t, plane, namespace, "bob", rule("watch", "one"), rule("get", "another"))
		if err := readOne(); !apierrors.IsForbidden(err) {
			t.Fatalf("granted something else: %v, want forbidden", err)
		}
	}
}

func TestAStartThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	_, err := Start(t.Context(), Options{Progress: t.Output(), APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") { // the API server's log
		t.Errorf("a wrong flag: %v", err)
	}
	if err := left(dir); err != nil {
		t.Errorf("a wrong flag: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_ = eventually(ctx, func() error { return appeared(dir, "*/etcd.pid") })
	}()
	if _, err := Start(ctx, Options{Progress: t.Output()}); !errors.Is(err, context.Canceled) {
		t.Errorf("its ctx ends: %v, want %v", err, context.Canceled)
	}
	if err := left(dir); err != nil {
		t.Errorf("its ctx ends: %v", err)
	}
}

func start(t *testing.T) *ControlPlane {
	t.Helper()
	plane, err := Start(t.Context(), Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

func grant(t *testing.T, plane *ControlPlane, namespace, user string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	if err := plane.Grant(t.Context(), namespace, user, rules...); err != nil {
		t.Fatal(err)
	}
}

func rule(verb, name string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{name}, Verbs: []string{verb}}
}

func client(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t *testing.T, config *rest.Config, namespace, name string) {
	t.Helper()
	_, err := client(t, config).CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
