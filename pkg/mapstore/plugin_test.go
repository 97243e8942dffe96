package mapstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A credential plugin gets no ctx. Every call returns soon after its own has ended all
// the same, and so does Close.
func TestNoCallWaitsForACredentialPlugin(t *testing.T) {
	t.Parallel()
	const takes, soon = 6 * time.Second, 4 * time.Second // soon is generous: it is a busy machine's
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1", QPS: -1, ExecProvider: &clientcmdapi.ExecConfig{
		Command: "sh", Args: []string{"-c", fmt.Sprintf("exec sleep %d # %d", int(takes.Seconds()), time.Now().UnixNano())},
		APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := mapstore.New(client, "ns", "settings", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = store.Start(t.Context())
	}()
	for name, call := range map[string]func(context.Context) error{
		"WaitForSync": store.WaitForSync,
		"Verify":      store.Verify,
		"Sync":        func(ctx context.Context) error { _, err := store.Sync(ctx); return err },
		"WaitFor":     func(ctx context.Context) error { _, err := store.WaitFor(ctx, "1"); return err },
		"Set":         func(ctx context.Context) error { return store.Set(ctx, "k", "v") },
	} {
		if err := call(within(t, 10*time.Millisecond)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	store.Close()
	<-ended
	if took := time.Since(began); took > soon {
		t.Errorf("all calls and Close took %v", took)
	}
}
