// Package demotest runs examples in their tests.
package demotest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
)

// Run runs an example as its main function does, but for its pace, and returns what the
// viewer sees. It fails the test if the story fails, or if a file is left behind.
func Run(t *testing.T, which string, story demo.Story) string {
	t.Helper()
	tmp := t.TempDir()
	environment := map[string]string{ // the demo changes some: put back what was there
		"TMPDIR":                       tmp,
		"MAPSTORE_CLUSTER_CONFIG_PATH": "",
		"NAMESPACE":                    "",
		"KUBERNETES_SERVICE_HOST":      "192.0.2.1", // as in a pod, which has a cluster too
		"KUBERNETES_SERVICE_PORT":      "443",
	}
	if which != demo.Current {
		environment["KUBECONFIG"] = os.DevNull
		environment["NAMESPACE"] = "not-there"
	}
	for variable, value := range environment {
		t.Setenv(variable, value)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out strings.Builder
	switch err := demo.Run(ctx, &out, which, 0, story); {
	case errors.Is(err, errors.ErrUnsupported):
		t.Skip(err)
	case err != nil:
		t.Fatalf("%v\n%s", err, &out)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in the temporary folder: %v %v", left, err)
	}
	return out.String()
}
