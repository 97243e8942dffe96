package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two of the shortest programs, run as a newcomer would, see what the other does.
func TestTheBasicExample(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	binary := filepath.Join(t.TempDir(), "basic")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./examples/basic")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	kubeconfig := s.kubeconfig(s.namespace)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	outputs := make([]string, 2)
	for i := range outputs {
		wg.Go(func() {
			command := exec.CommandContext(ctx, binary)
			command.Env = append(os.Environ(), "MAPSTORE_CLUSTER_CONFIG_PATH="+kubeconfig, "NAMESPACE=")
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, output)
			}
			outputs[i] = string(output)
		})
	}
	wg.Wait()
	all := strings.Join(outputs, "")
	if !strings.Contains(all, "this is visit 1\n") || !strings.Contains(all, "this is visit 2\n") {
		t.Errorf("the visits are not 1 and 2:\n%s", all)
	}
	for _, output := range outputs {
		if !strings.Contains(output, `visits: "1" -> "2"`) && !strings.Contains(output, `visits: "" -> "2"`) {
			t.Errorf("one did not see the second visit:\n%s", output)
		}
	}
}
