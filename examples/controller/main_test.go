package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// plane is the control plane that all tests share.
var plane *kube.ControlPlane

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	log.SetLogger(funcr.New(logged.add, funcr.Options{Verbosity: 10}))
	klog.SetLogger(logr.Discard())
	var err error
	plane, err = kube.Start(context.Background(), kube.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Fprintln(os.Stderr, "skipped:", err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := plane.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code == 0 { // a test that failed may have had no chance to clean up
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func TestTheDemoSucceedsAndLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out bytes.Buffer
	if err := run(t.Context(), &out, options{cluster: own}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 100 {
			t.Errorf("too long for a terminal: %q", line)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in the temporary folder: %v %v", left, err)
	}
}

func TestInTheCurrentClusterTheDemoRunsUntilItIsInterruptedAndRemovesItsNamespace(t *testing.T) {
	t.Setenv("KUBECONFIG", plane.Kubeconfig())
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	out := &until{text: "reconciled: web-1", reached: interrupt}
	if err := run(ctx, out, options{cluster: current}); err != nil || !out.done {
		t.Fatalf("%v\n%s", err, out)
	}
	_, after, _ := strings.Cut(out.String(), "Using the namespace ")
	name, _, _ := strings.Cut(after, " ")
	var namespaces corev1.NamespaceList
	if err := newSite(t).cluster.client.List(t.Context(), &namespaces); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range namespaces.Items {
		// No controller finishes the deletion on this control plane.
		if namespace.Name == name && namespace.DeletionTimestamp == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

// A capture is all that managers have logged.
type capture struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

var logged capture

func (c *capture) add(prefix, args string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.WriteString(prefix + " " + args + "\n")
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// An until calls reached when text is written.
type until struct {
	bytes.Buffer
	text    string
	reached func()
	done    bool
}

func (u *until) Write(p []byte) (int, error) {
	if strings.Contains(string(p), u.text) {
		u.done = true
		u.reached()
	}
	return u.Buffer.Write(p)
}
