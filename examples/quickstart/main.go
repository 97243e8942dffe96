// Command quickstart shows mapstore at work on a real Kubernetes API server,
// checks what it shows, and measures it, in about half a minute.
//
//	go run .                   on a control plane of its own, which is built once
//	go run . -cluster=current  on the cluster of the current kubeconfig
//
// This file opens and closes, story.go and outage.go are the story. The others
// hold what it needs: a cluster, a console, a feed of changes, measurements.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	cluster string
	pace    time.Duration // what a viewer needs to take in a line
	measure time.Duration // how long one measurement takes
}

func main() {
	opts := options{pace: 600 * time.Millisecond, measure: 3 * time.Second}
	flag.StringVar(&opts.cluster, "cluster", own, own+": a control plane that lives as long as the demo;\n"+
		current+": the current kubeconfig's, in a map that is removed at the end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)                            // a second Ctrl-C does not wait for the cleaning up
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a closed pipe does: the console gets an error instead
	if err := run(ctx, os.Stdout, opts); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run returns nil when all went as it should. It leaves nothing behind.
func run(ctx context.Context, out io.Writer, opts options) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	console := newConsole(out, ctx.Done(), cancel)
	console.title("mapstore: one ConfigMap as a small, shared, live map")

	cluster, err := connect(ctx, opts.cluster, console)
	if ctx.Err() != nil && err != nil {
		return context.Cause(ctx) // rather than what it has cut short
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, cluster.close())
		if err == nil {
			console.say("")
			console.say("All went as it should, and nothing is left behind.")
		}
	}()

	if err := tell(ctx, cluster, console, opts); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

func tell(ctx context.Context, cluster *cluster, console *console, opts options) error {
	a, err := cluster.open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := cluster.open(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := a.Verify(ctx); err != nil {
		return err
	}
	console.say("Two stores, A and B, share the ConfigMap %s in the namespace %s. Each has a client of its own, as two processes would.", cluster.name, cluster.namespace)

	story := &story{options: opts, console: console, cluster: cluster, a: a, b: b, feed: newFeed(b, "B", console)}
	defer story.feed.stop()
	for i, step := range []struct {
		title string
		run   task
	}{
		{"Live changes", story.liveChanges},
		{"100 concurrent transactions", story.transactions},
		{"An edit from outside", story.outsideEdit},
		{"Several keys in one transaction", story.transfers},
		{"The API server is killed", story.outage},
		{"What it costs", story.measurements},
	} {
		story.pause(ctx, 2)
		console.heading(i+1, step.title)
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		err := step.run(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.title, err)
		}
	}
	return nil
}
