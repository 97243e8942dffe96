package main

import (
	"context"
	"os"
	"regexp"
	"testing"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/examples/internal/demotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheDemoSucceedsInMemory(t *testing.T) { succeed(t, demo.Memory, "CLUSTER=local") }

func TestTheDemoSucceedsOnAControlPlane(t *testing.T) { succeed(t, demo.Local, "All went") }

func succeed(t *testing.T, cluster, end string) {
	t.Helper()
	out := demotest.Run(t, cluster, tell)
	for _, want := range []string{"exactly 100", "No read failed", "p99", "lost updates +0 of 6501", end} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// The viewer's cluster is that of another demo here.
func TestInTheViewersClusterTheMapIsRemoved(t *testing.T) {
	demotest.Run(t, demo.Memory, func(ctx context.Context, viewers *demo.Demo) error {
		t.Setenv("KUBECONFIG", os.Getenv("MAPSTORE_CLUSTER_CONFIG_PATH"))
		demotest.Run(t, demo.Current, tell)
		list, err := viewers.Client.CoreV1().ConfigMaps(viewers.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			t.Errorf("left behind: %s", list.Items[0].Name)
		}
		return err
	})
}
