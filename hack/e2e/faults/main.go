// Faults breaks everything around the store on purpose, one row of a matrix at a
// time, and holds it to its promises: nothing acknowledged is lost, nothing is
// applied twice, what is read is one committed version, and every store is fresh
// again soon after.
//
//	go run ./faults -rounds 1 -seed 42 -run 'API server' -write ../../docs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 1, "how many times each fault comes and goes")
	flag.Uint64Var(&s.seed, "seed", 42, "what the moments are drawn from")
	flag.BoolVar(&s.family, "family", false, "the stores are those of families")
	pattern := flag.String("run", "", "only the rows whose name matches this regular expression")
	docs := flag.String("write", "", "a folder with reliability.md and production.md, in whose tables the rows that are run are to be replaced, between "+beginMarker+" and "+endMarker)
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, *pattern, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		stop()
		os.Exit(1)
	}
}

// matrix returns the rows of the form that the settings ask for.
func matrix(short bool) []row {
	rows := slices.Concat(serverRows(), replicatedRows(), networkRows(), answerRows(), unsentRows(), refusalRows(), watchRows(), objectRows(), admissionRows(), clientRows())
	return slices.DeleteFunc(rows, func(r row) bool { return short && r.longOnly })
}

func run(ctx context.Context, s settings, pattern, docs string) (err error) {
	quiet()
	match, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(matrix(s.short), func(r row) bool { return !match.MatchString(r.name) })
	if len(rows) == 0 {
		return fmt.Errorf("no row matches %q", pattern)
	}
	planes := newPlanes(1)
	defer func() { err = errors.Join(err, planes.stop()) }()
	kubernetes, etcd, err := planes.versions(ctx)
	if err != nil {
		return err
	}

	var results []result
	var failures []error
	for i := range rows {
		res := rows[i].execute(ctx, planes, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fmt.Printf("%2d/%d %s\n", i+1, len(rows), res.line())
		results, failures = append(results, res), append(failures, res.err)
	}
	how := fmt.Sprintf("Kubernetes %s, etcd %s; %d round(s) of each fault, seed %d: `make faults ROUNDS=%[3]d SEED=%[4]d`\n\n",
		kubernetes, etcd, s.rounds, s.seed)
	fmt.Printf("\n%s%s", how, tableOf(results))
	if docs != "" {
		failures = append(failures,
			replaceInFile(filepath.Join(docs, "reliability.md"), how+tableOf(results), pattern != ""),
			replaceInFile(filepath.Join(docs, "production.md"), how+gapsOf(results), pattern != ""))
	}
	return errors.Join(failures...)
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
