package main

import (
	"context"
	"regexp"
	"testing"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/examples/internal/demotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheDemoSucceeds(t *testing.T) {
	out := demotest.Run(t, demo.Own, tell)
	for _, want := range []string{"exactly 100", "No read failed", "p99", "lost updates +0 of 6501"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// The viewer's cluster is that of another demo here.
func TestInTheViewersClusterTheMapIsRemoved(t *testing.T) {
	demotest.Run(t, demo.Own, func(ctx context.Context, viewers *demo.Demo) error {
		t.Setenv("KUBECONFIG", viewers.Plane.Kubeconfig())
		demotest.Run(t, demo.Current, tell)
		list, err := viewers.Client.CoreV1().ConfigMaps(viewers.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			t.Errorf("left behind: %s", list.Items[0].Name)
		}
		return err
	})
}
