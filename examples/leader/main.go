// Command leader runs three replicas with client-go's leader election beside a
// store, stops the one that leads, and wakes it up when another leads.
//
//	go run .            on a control plane of its own, which is built once
//	go run . replica a  one replica, on the cluster of the current kubeconfig
//
// Version 1 of this library said: use one process, or leader election. Its writes
// could overwrite one another, so only one process could be allowed to write. Leader
// election is a promise about leases, not about writes: a process that is stopped
// between looking at its lease and writing, by SIGSTOP, by a long garbage collection
// or by a machine that sleeps, writes when another leads. In version 2 each write is
// guarded by the version that it was computed from, so that it is right whoever makes
// it. Leader election then saves work, as one replica does what need not be done three
// times; that no update is lost does not depend on it. What must not come from a
// leader that has been replaced checks a fencing token in its transaction.
//
// replica.go is the election, updates.go are the transactions. The other files stop,
// wake up and watch the replicas.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning up
	var err error
	switch {
	case len(os.Args) == 1:
		err = run(ctx, os.Stdout, time.Second)
	case len(os.Args) == 3 && os.Args[1] == replicaCommand:
		err = runReplica(ctx, os.Args[2])
	default:
		err = fmt.Errorf("usage: leader [%s ID]", replicaCommand)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "leader:", err)
		os.Exit(1)
	}
}
