package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A bench is one run of the measurements.
type bench struct {
	*rig.Rig
	quick bool                             // in tests: so short that the figures mean little
	say   func(format string, args ...any) // writes a line of progress
}

// A step measures one theme. Where its table and charts stand, and what they say, is in
// performance.md.tmpl.
type step struct {
	name string
	run  func(*bench, context.Context) (*report.Section, error)
}

var steps = []step{
	{"reads", (*bench).reads},
	{"write", (*bench).write},
	{"writers", (*bench).writers},
	{"contention", (*bench).contention},
	{"rollouts", (*bench).rollouts},
	{"heartbeats", (*bench).heartbeats},
	{"propagation", (*bench).propagation},
	{"heap", (*bench).heap},
	{"backup", (*bench).backup},
}

// figures are those of the page. Its template has the steps' names.
type figures struct {
	Machine []string // what it ran on, a line each
	steps   map[string]*report.Section
	targets []report.Target
}

// Targets are those of all steps.
func (f *figures) Targets() report.Table { return report.Targets(f.targets) }

// Table is that of one step.
func (f *figures) Table(step string) report.Table { return f.steps[step].Table }

//go:embed performance.md.tmpl
var prose string

// run runs all steps, and returns what they measured and the page of it.
func (b *bench) run(ctx context.Context) (*figures, *report.Page, error) {
	f := &figures{steps: make(map[string]*report.Section)}
	page := &report.Page{Name: "performance.md", Template: prose, Figures: f, Charts: make(map[string]chart.Picture)}
	var err error
	if f.Machine, err = machine(ctx, b.Plane); err != nil {
		return nil, nil, err
	}
	for i, s := range steps {
		b.say("%d of %d: %s", i+1, len(steps), s.name)
		section, err := s.run(b, ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.name, err)
		}
		f.steps[s.name] = section
		f.targets = append(f.targets, section.Targets...)
		maps.Copy(page.Charts, section.Charts)
	}
	return f, page, nil
}

// pick returns full, or quick in a quick run.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

// benchmark runs a Go benchmark for about so long.
func benchmark(lasts time.Duration, fn func(*testing.B)) testing.BenchmarkResult {
	_ = flag.Set("test.benchtime", lasts.String()) // a valid value of a flag that exists
	return testing.Benchmark(fn)
}

// clock appends how long fn takes.
func clock(took *[]time.Duration, fn func() error) error {
	start := time.Now()
	err := fn()
	*took = append(*took, time.Since(start))
	return err
}
