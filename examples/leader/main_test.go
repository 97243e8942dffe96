package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// plane is the control plane of the tests that need no more than a map.
var plane *kube.ControlPlane

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == replicaCommand { // a child of the demo under test
		main()
		return
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
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

// With SIGSTOP and SIGCONT, in processes of their own, with the rights of rbac.yaml.
func TestAStoppedLeaderThatWakesUpNeitherLosesNorDoublesAnUpdate(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out bytes.Buffer
	if err := run(t.Context(), &out, 0); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("\n%s", &out)
	if !regexp.MustCompile(`stale +[1-9]`).Match(out.Bytes()) {
		t.Error("nothing came from the old leader")
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
