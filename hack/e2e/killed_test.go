package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// asClient says to this program that it is the client of another one, which will
// kill it. Its value is the map's namespace.
const asClient = "MAPSTORE_E2E_CLIENT"

// beClient increments a counter for ever, and says so each time.
func beClient(namespace string) error {
	store, err := mapstore.Open(context.Background(), mapName, mapstore.Options{Namespace: namespace})
	if err != nil {
		return err
	}
	for {
		fmt.Println("call")
		if _, err := store.Update(context.Background(), rig.Increment("n")); err != nil {
			return err
		}
		fmt.Println("acknowledged")
	}
}

// Promise 6: what was acknowledged survives a kill -9 of the client. Those of the
// API server and of etcd are rows of the fault matrix.
func TestAcknowledgedWritesSurviveAKilledClient(t *testing.T) {
	s := newSite(t)
	kubeconfig := s.kubeconfig(s.namespace)
	acknowledged, called := 0, 0
	for range 3 {
		client := exec.CommandContext(s.within(), os.Args[0])
		client.Env = append(os.Environ(), asClient+"="+s.namespace, "MAPSTORE_CLUSTER_CONFIG_PATH="+kubeconfig)
		client.Stderr = os.Stderr
		output, err := client.StdoutPipe()
		if err == nil {
			err = client.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		const enough = 20
		ended := 0
		for lines := bufio.NewScanner(output); lines.Scan(); {
			switch lines.Text() {
			case "call":
				called++
			case "acknowledged":
				acknowledged++
				if ended++; ended == enough {
					if err := client.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		}
		_ = client.Wait() // it says that the client was killed
		if ended < enough {
			t.Fatalf("only %d writes were acknowledged", ended)
		}
	}
	n, err := strconv.Atoi(s.get().Data["n"])
	if err != nil || n < acknowledged || n > called {
		t.Errorf("the counter is %d after %d of %d increments were acknowledged: %v", n, acknowledged, called, err)
	}
}
