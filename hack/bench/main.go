// Bench measures what mapstore costs, beside what its users would do without
// it, on a real API server. In this folder:
//
//	go run .                            # everything; prints the report
//	go run . -write ../../docs          # also writes performance.md and charts there
//	go run . -quick                     # everything, too short to mean much
//	go run . -only reads,write          # some steps
//	go run . -scale -write ../../docs   # what a map costs the cluster: scale.md and its chart
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/hack/bench/scale"
)

type flags struct {
	write, only  string
	quick, scale bool
}

func main() {
	testing.Init()
	var f flags
	flag.StringVar(&f.write, "write", "", "the folder to write performance.md, or scale.md, and charts into")
	flag.StringVar(&f.only, "only", "", "the steps to run, with commas: "+stepNames())
	flag.BoolVar(&f.quick, "quick", false, "so short that the figures mean little")
	flag.BoolVar(&f.scale, "scale", false, "what a map costs the cluster instead: scale.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	silence()
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// silence keeps what peers log off the screen: what matters of it is in what they return.
func silence() {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
}

func run(ctx context.Context, f flags) (err error) {
	chosen, err := choose(f.only)
	if err != nil {
		return err
	}
	if f.only != "" && (f.scale || f.write != "") {
		return fmt.Errorf("-only %s measures a part, -scale and -write the whole", f.only)
	}
	r, err := rig.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "[%v] %s\n", time.Since(began).Round(time.Second), fmt.Sprintf(format, args...))
	}
	if f.scale {
		result, err := scale.Measure(ctx, r, f.quick, say)
		if err != nil {
			return err
		}
		if result.Machine, err = machine(ctx, r.Plane); err != nil {
			return err
		}
		page, err := result.Page()
		if err != nil {
			return err
		}
		return put(page, f.write)
	}
	measured, page, err := (&bench{r, f.quick, say}).run(ctx, chosen)
	if err != nil {
		return err
	}
	if f.only == "" {
		return put(page, f.write)
	}
	fmt.Printf("%s\n", measured.Targets())
	for _, s := range chosen {
		fmt.Printf("\n%s\n\n%s\n", s.name, measured.Table(s.name))
	}
	return nil
}

// put writes a page into a folder, or prints it.
func put(page *report.Page, dir string) error {
	if dir == "" {
		return page.Markdown(os.Stdout)
	}
	return page.Write(dir)
}
