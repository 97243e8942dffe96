package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// replicaCommand, as the first argument, makes this program one replica.
const replicaCommand = "replica"

// name is that of the ConfigMap and of the Lease, which rbac.yaml names too.
const name = "jobs"

// runReplica is a replica in a process of its own. It tells what it does, a line
// each: "leads EPOCH", "added", "concluded" and "refused". It ends when its standard
// input does, and so with the process that has started it.
func runReplica(ctx context.Context, id string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that matters
		cancel()
	}()

	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil)
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return err
	}
	namespace, _, err := kubeconfig.Namespace()
	if err != nil {
		return err
	}
	config.QPS = -1 // the API server has its own limits
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	store, err := mapstore.New(client, namespace, name, mapstore.Options{})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = store.Start(context.WithoutCancel(ctx)) }) // until it is closed
	defer running.Wait()
	defer store.Close()
	if err := store.WaitForSync(ctx); err != nil {
		return err
	}
	r := &replica{id: id, store: store, tell: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	return r.run(ctx, &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: id},
	})
}
