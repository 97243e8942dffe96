// Command control-plane runs a Kubernetes API server with its etcd until it is
// interrupted, and leaves nothing behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

func main() {
	build := flag.Bool("build", false, "build the binaries if they are missing, print their paths, and exit")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	run := serve
	if *build {
		run = buildOnly
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func buildOnly(ctx context.Context) error {
	binaries, err := kube.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n", binaries.APIServer, binaries.Etcd)
	return nil
}

func serve(ctx context.Context) (err error) {
	// Start would build, too; the time it says is for starting alone.
	if _, err := kube.Build(ctx, os.Stderr); err != nil {
		return err
	}
	start := time.Now()
	plane, err := kube.Start(ctx, kube.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := plane.Stop(); err == nil {
			err = stopErr
		}
	}()
	apiServer, etcd, err := plane.Versions(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Kubernetes %s with etcd %s is ready after %.1f s at %s\n", apiServer, etcd, time.Since(start).Seconds(), plane.Config().Host)
	fmt.Printf("    export KUBECONFIG=%s\n", plane.Kubeconfig())
	fmt.Println("Ctrl-C stops it and removes everything.")
	serverGone, serverState := plane.APIServer.Exited()
	etcdGone, etcdState := plane.Etcd.Exited()
	select {
	case <-ctx.Done():
		return nil
	case <-serverGone:
		return fmt.Errorf("it has ended by itself, %s", serverState())
	case <-etcdGone:
		return fmt.Errorf("it has ended by itself, %s", etcdState())
	}
}
