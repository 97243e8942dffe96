package kube

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/hack/wire"
)

// The subtests share one control plane, of which nothing is left in the end.
func TestAReplicatedControlPlane(t *testing.T) {
	if !CanReplicate() {
		t.Skip(ErrNoHAProxy)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	plane, err := StartReplicated(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		name string
		run  func(*testing.T, context.Context, *ControlPlane)
	}{
		{"goes on without one of each", testGoesOn},
		{"serves nobody who is cut off", testCutOff},
		{"shows and takes new certificates", testCertificates},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, ctx, plane) })
	}
}

// Whatever of it is gone, the rest serves: a leader of etcd, an API server, a balancer that is
// reloaded.
func testGoesOn(t *testing.T, ctx context.Context, plane *ControlPlane) {
	namespace, err := plane.Namespace(ctx, "replicated")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string) {
		t.Helper()
		// A client of its own, as connections to what is gone are not what this is about.
		client, err := kubernetes.NewForConfig(plane.Config())
		if err != nil {
			t.Fatal(err)
		}
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
		var last error
		if err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			_, last = client.CoreV1().ConfigMaps(namespace).Create(ctx, object, metav1.CreateOptions{})
			return last == nil || apierrors.IsAlreadyExists(last), nil // the answer to the first may have been lost
		}); err != nil {
			t.Fatalf("%s: %v: %v", name, err, last)
		}
	}
	write("at-first")
	if err := plane.MakeLeader(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := plane.Members[1].Kill(); err != nil {
		t.Fatal(err)
	}
	write("without-the-leader")
	if err := plane.Members[1].Restart(ctx); err != nil {
		t.Fatal(err)
	}
	for _, server := range plane.Servers {
		if err := server.Terminate(ctx); err != nil {
			t.Fatal(err)
		}
		write("without-" + map[bool]string{true: "the-first", false: "the-second"}[server == plane.APIServer])
		if err := server.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := plane.Balancer.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	write("after-a-reload")
}

// A member that is cut off answers none that asks for what is true now, and its API server says
// that it is not ready; the others elect a leader. So it is with an API server that is cut off
// from its member, and each serves again when the network is mended.
func testCutOff(t *testing.T, ctx context.Context, plane *ControlPlane) {
	ready := func(i int) bool {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err := get(limited, plane.probes, plane.ServerURL(i)+"/readyz")
		return err == nil
	}
	until := func(what string, cond func() bool) {
		t.Helper()
		if err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) { return cond(), nil }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	faults := map[string][2]func(){
		"the member":     {func() { plane.Peers.CutOff(0) }, plane.Peers.Heal},
		"its API server": {func() { plane.EtcdWire.Set(wire.Trouble{Hole: true}) }, func() { plane.EtcdWire.Set(wire.Trouble{}) }},
	}
	for who, fault := range faults {
		if err := plane.MakeLeader(ctx, 0); err != nil {
			t.Fatal(err)
		}
		fault[0]()
		until("without "+who+", the first API server is ready", func() bool { return !ready(0) })
		until("without "+who+", the second is not", func() bool { return ready(1) })
		fault[1]()
		until("with "+who+" back, the first is not ready", func() bool { return ready(0) })
	}
}

// Whoever connects after a rotation sees another certificate, of the same authority. A client's
// certificate makes it the user that it says.
func testCertificates(t *testing.T, ctx context.Context, plane *ControlPlane) {
	if err := plane.RotateServing(ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := plane.Config()
	config.BearerToken = ""
	certFile, keyFile := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	if err := plane.ClientCertificate(certFile, keyFile, "somebody", "some-group"); err != nil {
		t.Fatal(err)
	}
	// As data, since client-go goes on looking at files.
	var err error
	if config.CertData, err = os.ReadFile(certFile); err != nil {
		t.Fatal(err)
	}
	if config.KeyData, err = os.ReadFile(keyFile); err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if user := review.Status.UserInfo; user.Username != "somebody" || !slices.Contains(user.Groups, "some-group") {
		t.Errorf("the certificate makes it %v", user)
	}
}
