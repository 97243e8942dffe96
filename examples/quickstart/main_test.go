package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is the demo without a viewer.
var quick = options{cluster: own, measure: 200 * time.Millisecond}

func TestDemoSucceedsAndLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv(configPath, "") // the demo sets it: put back what was there
	t.Setenv("KUBECONFIG", untouchable(t))
	t.Setenv("NAMESPACE", "not-there")

	var out bytes.Buffer
	err := run(t.Context(), &out, quick)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"exactly 100", "reads in the outage +[0-9,]+  0 failed", "commit to callback p99", "lost updates +0  of"} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > width || strings.Contains(line, "\x1b") {
			t.Errorf("too long for a terminal, or coloured: %q", line)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in the temporary folder: %v %v", left, err)
	}
}

func TestDemoInTheCurrentCluster(t *testing.T) {
	plane, err := kube.Start(t.Context(), kube.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(configPath, "")
	t.Setenv("NAMESPACE", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1") // as if in a pod, which has a cluster too
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	t.Setenv("KUBECONFIG", plane.Kubeconfig())
	maps := kubernetes.NewForConfigOrDie(plane.Config()).CoreV1().ConfigMaps(metav1.NamespaceDefault)
	only := func(t *testing.T) string {
		list, err := maps.List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			t.Fatalf("%d maps, %v", len(list.Items), err)
		}
		return list.Items[0].Name
	}
	opts := quick
	opts.cluster = current

	t.Run("succeeds", func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out, opts); err != nil {
			t.Errorf("%v\n%s", err, &out)
		}
	})
	t.Run("is interrupted", func(t *testing.T) {
		ctx, interrupt := context.WithCancelCause(t.Context())
		ctrlC := errors.New("Ctrl-C")
		out := &at{text: "2. ", do: func() error { only(t); interrupt(ctrlC); return nil }}
		if err := run(ctx, out, opts); !errors.Is(err, ctrlC) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("nobody reads on", func(t *testing.T) {
		gone := errors.New("nobody is there")
		out := &at{text: "2. ", do: func() error { only(t); return gone }}
		if err := run(t.Context(), out, opts); !errors.Is(err, gone) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("notices a lost update", func(t *testing.T) {
		out := &at{text: "6. ", do: func() error {
			_, err := maps.Patch(t.Context(), only(t), types.MergePatchType, []byte(`{"data":{"counter":"99"}}`), metav1.PatchOptions{})
			return err
		}}
		if err := run(t.Context(), out, opts); err == nil || !strings.Contains(err.Error(), "acknowledged") {
			t.Errorf("%v\n%s", err, out)
		}
	})

	list, err := maps.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) > 0 {
		t.Errorf("left behind: %v %v", list.Items, err)
	}
}

// An at does something just before a line is printed that begins with text.
type at struct {
	bytes.Buffer
	text string
	do   func() error
}

func (a *at) Write(p []byte) (int, error) {
	if a.do != nil && strings.HasPrefix(string(p), a.text) {
		do := a.do
		a.do = nil
		if err := do(); err != nil {
			return 0, err
		}
	}
	return a.Buffer.Write(p)
}

// untouchable returns a kubeconfig whose server fails the test when it is called.
func untouchable(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			t.Error("the cluster of the environment was called")
			connection.Close()
		}
	}()
	path := t.TempDir() + "/kubeconfig"
	if err := kube.WriteKubeconfig(&rest.Config{Host: "https://" + listener.Addr().String()}, "default", path); err != nil {
		t.Fatal(err)
	}
	return path
}
