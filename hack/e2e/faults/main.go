// Faults breaks everything around the store on purpose, one row of a matrix at a
// time, and holds it to its promises: nothing acknowledged is lost, nothing is
// applied twice, what is read is one committed version, and every store is fresh
// again soon after.
//
//	go run ./faults -rounds 1 -seed 42 -run 'API server' -write ../../docs/reliability.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 1, "how many times each fault comes and goes")
	flag.Uint64Var(&s.seed, "seed", 42, "what the moments are drawn from")
	flag.IntVar(&s.parallel, "parallel", 1, "how many rows run at the same time, where they can share a control plane")
	flag.BoolVar(&s.short, "short", false, "the short form: shorter faults, fewer rows")
	pattern := flag.String("run", "", "only the rows whose name matches this regular expression")
	file := flag.String("write", "", "a file whose table is to be replaced, between "+beginMarker+" and "+endMarker)
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, *pattern, *file); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		stop()
		os.Exit(1)
	}
}

// matrix returns the rows of the form that the settings ask for.
func matrix(short bool) []row {
	rows := slices.Concat(serverRows(), networkRows(), answerRows(), watchRows(), objectRows(), clientRows())
	return slices.DeleteFunc(rows, func(r row) bool { return short && r.longOnly })
}

func run(ctx context.Context, s settings, pattern, file string) (err error) {
	quiet()
	match, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(matrix(s.short), func(r row) bool { return !match.MatchString(r.name) })
	if len(rows) == 0 {
		return fmt.Errorf("no row matches %q", pattern)
	}
	planes := newPlanes(s.parallel)
	defer func() { err = errors.Join(err, planes.stop()) }()
	kubernetes, etcd, err := planes.versions(ctx)
	if err != nil {
		return err
	}

	done := 0
	results := runAll(ctx, planes, rows, s, func(res result) {
		done++
		fmt.Printf("%2d/%d %s\n", done, len(rows), res.line())
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	table := header{s, pattern, kubernetes, etcd}.String() + "\n" + tableOf(results)
	fmt.Printf("\n%s", table)
	if file != "" {
		if err := replaceInFile(file, table); err != nil {
			return err
		}
	}
	failed := 0
	for _, res := range results {
		if res.err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rows failed", failed, len(results))
	}
	return nil
}

// runAll runs the rows and returns their results in the same order.
func runAll(ctx context.Context, planes *planes, rows []row, s settings, report func(result)) []result {
	results := make([]result, len(rows))
	var mu sync.Mutex // held while a result is reported
	var tasks sync.WaitGroup
	for i := range rows {
		tasks.Go(func() {
			results[i] = rows[i].execute(ctx, planes, s)
			mu.Lock()
			defer mu.Unlock()
			report(results[i])
		})
	}
	tasks.Wait()
	return results
}

// quiet keeps client-go's own complaints about faults to itself.
func quiet() { klog.SetLogger(logr.Discard()) }

// rounded makes a time readable in a table.
func rounded(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
