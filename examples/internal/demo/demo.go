// Package demo is what the examples have around what they show: a cluster to run on,
// and the telling. It is not meant to be copied.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// A Story is what an example shows. It returns an error when something is not as it
// should be.
type Story func(context.Context, *Demo) error

// A Demo is where a story takes place, and how it is told.
type Demo struct {
	*Cluster
	*Console
}

// Main tells a story to people, and ends the program when it fails.
func Main(which string, story Story) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)                            // a second Ctrl-C does not wait for the cleaning up
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a closed pipe does not end it
	if err := Run(ctx, os.Stdout, which, time.Second, story); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// Run tells a story, step by step at this pace, and leaves nothing behind.
func Run(ctx context.Context, out io.Writer, which string, pace time.Duration, story Story) (err error) {
	console := &Console{pace: pace, out: out}
	cluster, err := connect(ctx, which, console)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // rather than what it has cut short
		}
		if err = errors.Join(err, cluster.close()); err == nil {
			console.print("\n", "All went as it should, and nothing is left behind.")
			if which == Memory {
				console.Say("The same on a real Kubernetes API server, once it is built:  make demo CLUSTER=local")
				console.Say("On the cluster of your kubeconfig:                          make demo CLUSTER=current")
			}
		}
	}()
	return story(ctx, &Demo{cluster, console})
}
