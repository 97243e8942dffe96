// Bench measures what mapstore costs, beside what its users would do without
// it, on a real API server. In this folder:
//
//	go run .                            # prints the report
//	go run . -write ../../docs          # writes it there instead: performance.md and charts
//	go run . -scale -write ../../docs   # what a map costs the cluster: scale.md
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

func main() {
	if beWriter() {
		return
	}
	testing.Init()
	dir := flag.String("write", "", "the folder to write performance.md and its charts, or scale.md, into")
	scaling := flag.Bool("scale", false, "what a map costs the cluster instead: scale.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	silence()
	if err := run(ctx, *scaling, *dir); err != nil {
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

func run(ctx context.Context, scaling bool, dir string) (err error) {
	r, err := rig.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "[%v] %s\n", time.Since(began).Round(time.Second), fmt.Sprintf(format, args...))
	}
	var page *report.Page
	if scaling {
		page, err = scalePage(ctx, r, say)
	} else {
		_, page, err = (&bench{r, false, say}).run(ctx)
	}
	if err != nil {
		return err
	}
	if dir == "" {
		return page.Markdown(os.Stdout)
	}
	return page.Write(dir)
}

func scalePage(ctx context.Context, r *rig.Rig, say func(string, ...any)) (*report.Page, error) {
	result, err := scale.Measure(ctx, r, false, say)
	if err != nil {
		return nil, err
	}
	if result.Machine, err = machine(ctx, r.Plane); err != nil {
		return nil, err
	}
	return result.Page(), nil
}
