// Bench measures what mapstore costs, beside what its users would do without
// it, on a real API server. In this folder:
//
//	go run .                               # everything; prints the report
//	go run . -write ../../docs             # also writes performance.md and charts there
//	go run . -quick                        # everything, too short to mean much
//	go run . -only reads,write             # some steps
//	go run . -scale -write ../../docs      # what a map costs the cluster: scale.md and its charts
//	go run . -only contention -stores 32 -writers 8 -for 10s -strategy mapstore
//
// The last form runs one load, as often as -count says, to compare strategies of
// the library. Reads and events are Go benchmarks too:
//
//	go test -run '^$' -bench . -count 10 | tee new.txt; benchstat old.txt new.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/scale"
)

type flags struct {
	write, only string
	quick       bool
	scale       bool
	plan        load.Plan // one load instead of all, when it names a number of stores
	count       int
}

func main() {
	testing.Init()
	var f flags
	flag.StringVar(&f.write, "write", "", "the folder to write performance.md, or scale.md, and charts into")
	flag.StringVar(&f.only, "only", "", "the steps to run, with commas: "+strings.Join(stepNames(), ","))
	flag.BoolVar(&f.quick, "quick", false, "so short that the figures mean little")
	flag.BoolVar(&f.scale, "scale", false, "what a map costs the cluster instead: scale.md")
	flag.IntVar(&f.plan.Stores, "stores", 0, "contention: run one load, with so many stores")
	flag.IntVar(&f.plan.Writers, "writers", 8, "contention: writers in each store")
	flag.DurationVar(&f.plan.For, "for", 10*time.Second, "contention: how long they write")
	flag.IntVar(&f.plan.Operations, "operations", 0, "contention: how often each writes, instead of -for")
	flag.StringVar(&f.plan.Strategy, "strategy", load.Mapstore, "contention: "+strings.Join(load.Strategies(), ", "))
	flag.IntVar(&f.count, "count", 1, "contention: how often to run the load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What matters of what peers log is in what they return.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) (err error) {
	chosen, err := choose(f.only)
	if err != nil {
		return err
	}
	if f.scale && (f.only != "" || f.plan.Stores > 0) {
		return errors.New("-scale measures all of its own, and nothing else")
	}
	if f.write != "" && f.only != "" {
		return fmt.Errorf("-write writes the whole report, -only %s measures a part of it", f.only)
	}
	r, err := rig.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := r.Stop(); err == nil {
			err = stopErr
		}
	}()
	b := &bench{Rig: r, quick: f.quick, out: os.Stderr, began: time.Now()}
	if f.plan.Stores > 0 {
		return b.oneLoad(ctx, f.plan, f.count)
	}
	if f.scale {
		return b.scale(ctx, f.write)
	}
	page, err := b.run(ctx, chosen)
	if err != nil {
		return err
	}
	if f.write == "" {
		page.Markdown(os.Stdout)
		return nil
	}
	if err := page.Write(f.write); err != nil {
		return err
	}
	for _, target := range page.Missed() {
		b.say("missed: %s: %s %s, target %s", target.What, target.Measured, target.Ratio, target.Goal)
	}
	return nil
}

// scale measures what a map costs the cluster, and writes it into a folder or prints it.
func (b *bench) scale(ctx context.Context, dir string) error {
	on, err := machine(ctx, b.Plane)
	if err != nil {
		return err
	}
	result, err := scale.Measure(ctx, b.Rig, b.quick, b.say)
	if err != nil {
		return err
	}
	result.Machine = on
	if dir == "" {
		return result.Markdown(os.Stdout)
	}
	return result.Write(dir)
}

// oneLoad runs one load several times, and prints what comes out.
func (b *bench) oneLoad(ctx context.Context, plan load.Plan, count int) error {
	for range count {
		result, err := load.Run(ctx, b.Rig, plan)
		if err != nil {
			return err
		}
		load.Print(os.Stdout, result)
		if result.Failure != nil {
			fmt.Println("one of the failures:", result.Failure)
		}
	}
	return nil
}

// choose returns the steps that only names, in their usual order.
func choose(only string) ([]step, error) {
	if only == "" {
		return steps, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(stepNames(), name) {
			return nil, fmt.Errorf("there is no step %q, but %s", name, strings.Join(stepNames(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return !slices.Contains(names, s.name) }), nil
}

// run runs steps, and returns what they measured.
func (b *bench) run(ctx context.Context, chosen []step) (*report.Report, error) {
	page := &report.Report{Quick: b.quick}
	var err error
	if page.Machine, err = machine(ctx, b.Plane); err != nil {
		return nil, err
	}
	for i, s := range chosen {
		b.say("%d of %d: %s", i+1, len(chosen), s.name)
		section, err := s.run(b, ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		page.Sections = append(page.Sections, section)
	}
	return page, nil
}
