// Soak runs stores under steady load for as long as it is told, through outages
// of the API server and deletions of a map, and looks for whatever grows that
// should not: memory, goroutines, open files, connections among them. It also
// counts increments, and compares them with the counter. In this folder's module:
//
//	go run ./soak -for 10m
//
// It prints one line a sample, and fails with the reason when something grows or
// a count is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// A plan says how long a soak runs and how often what happens in it.
type plan struct {
	length time.Duration
	warmUp time.Duration // what is measured before does not count
	sample time.Duration // between two samples
	outage time.Duration // between two outages of the API server; 0: none
}

func main() {
	// An HTTP/2 connection, closed or not, is kept alive by a timer of 30 s.
	p := plan{warmUp: 45 * time.Second, sample: 5 * time.Second, outage: time.Minute}
	flag.DurationVar(&p.length, "for", 10*time.Minute, "how long the load lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := soak(ctx, os.Stdout, p); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// soak runs a plan on a control plane of its own.
func soak(ctx context.Context, out io.Writer, p plan) error {
	plane, err := kube.Start(ctx, kube.Options{})
	if err != nil {
		return err
	}
	return errors.Join(p.run(ctx, out, plane), plane.Stop())
}

// run runs the plan on plane. An interrupt ends it early, with a verdict on what
// there was.
func (p plan) run(ctx context.Context, out io.Writer, plane *kube.ControlPlane) error {
	l, err := startLoad(ctx, plane, p.outage)
	if err != nil {
		return err
	}
	defer l.close()
	fmt.Fprintf(out, lineFormat+"\n", "time", "operations", "heap KiB", "goroutines", "files")
	var samples []sample
	for tick := time.Tick(p.sample); l.running() && !p.suffices(samples); {
		select {
		case <-tick:
		case <-l.done:
			continue
		}
		s, err := l.atRest(take)
		if err != nil {
			return err
		}
		samples = append(samples, s)
		fmt.Fprintln(out, s)
	}
	if err := l.end(); err != nil {
		return err
	}
	fmt.Fprintln(out, l)
	return judge(p.settled(samples))
}

// suffices reports whether the samples cover the plan, which on a machine that has
// more to do than to sample takes longer than planned.
func (p plan) suffices(samples []sample) bool {
	return len(samples) > 0 && samples[len(samples)-1].at >= p.length && len(p.settled(samples)) >= minSamples
}

// settled leaves out the warm-up.
func (p plan) settled(samples []sample) []sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return s.at < p.warmUp })
}
