package kube

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// Whatever of it is gone, the rest serves: a leader of etcd, an API server, a balancer that is
// reloaded. Nothing is left of it in the end.
func TestAReplicatedControlPlaneGoesOnWithoutOneOfEach(t *testing.T) {
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
	leader, follower, err := plane.Leader(ctx)
	if err != nil || follower == nil {
		t.Fatal(err)
	}
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	write("without-the-leader")
	if err := leader.Restart(ctx); err != nil {
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
