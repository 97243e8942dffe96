// Command controller is a controller-runtime program whose policy is a map: one
// ConfigMap says how many replicas the Deployments of each tier have.
//
//	go run .                   on a control plane of its own, which is built once
//	go run . -cluster=current  on the cluster of the current kubeconfig, until Ctrl-C
//
// manager.go and controller.go are what to copy. demo.go shows them at work, and the
// other files hold what that needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type options struct {
	cluster         string
	metrics, health string        // addresses
	pace            time.Duration // what a viewer needs to take in a step
}

func main() {
	opts := options{pace: time.Second}
	flag.StringVar(&opts.cluster, "cluster", own, own+": a control plane that lives as long as the demo;\n"+
		current+": the current kubeconfig's, in a namespace that is removed at the end")
	flag.StringVar(&opts.metrics, "metrics", "", "`address` of /metrics (default a free port of 127.0.0.1)")
	flag.StringVar(&opts.health, "health", "", "`address` of /healthz and /readyz (likewise)")
	verbose := flag.Bool("v", false, "show the manager's log")
	flag.Parse()

	logger := logr.Discard()
	if *verbose {
		logger = logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil))
	}
	log.SetLogger(logger)
	klog.SetLogger(logger)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning up
	if err := run(ctx, os.Stdout, opts); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}
