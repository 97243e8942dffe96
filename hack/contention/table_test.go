package contention

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
)

var (
	write = flag.String("write", "", "the file to write the table into, such as docs/contention.md; without it TestTable does nothing")
	only  = flag.String("only", "", "only patterns whose name contains this")
	seeds = flag.Int("seeds", 1, "how many seeds")

	network = networkFlags()
)

func networkFlags() *Network {
	n := Default
	flag.DurationVar(&n.OneWay, "oneway", n.OneWay, "from a client to the server")
	flag.IntVar(&n.Handlers, "handlers", n.Handlers, "how many requests the server handles side by side")
	flag.DurationVar(&n.Handle, "handle", n.Handle, "what the server does for a request")
	flag.DurationVar(&n.Commit, "commit", n.Commit, "what etcd needs for a version")
	flag.DurationVar(&n.Fanout, "fanout", n.Fanout, "from a commit until it is sent to the watches")
	flag.Float64Var(&n.Jitter, "jitter", n.Jitter, "by how much every time varies")
	return &n
}

// TestTable prints what each strategy makes of each pattern.
func TestTable(t *testing.T) {
	if *write == "" {
		t.Skip("no -write")
	}
	var page strings.Builder
	fmt.Fprintf(&page, `# Writers that meet

What many processes that write to one map do to each other: real stores on the API server
in memory, in virtual time, on a network with these times: %v. A PUT that
meets nobody takes %v. Times are medians over the seeds 0 to %d, and what failed is the
sum. "Bare PUTs" is the time until all are done, in PUTs that meet nobody, for each write:
1 is one after the other. RetryOnConflict is client-go's, which gives up after five
attempts; the patient one goes on for 30 s. The limit is a coordinator who knows
everything, and lets one store after the other write.

    make contention

![How long a rollout takes, by the number of stores](charts/rollouts.svg)

The chart leaves out rollouts of which a write has failed.

| pattern | strategy | bare PUTs a write | PUTs a write | p50 | p99 | longest gap | fewest : most | failed |
|---|---|---|---|---|---|---|---|---|
`, network, network.Bare(), *seeds-1)
	lines := chart.Lines{
		Title: "How long stores take that write once, all at the same moment",
		X:     "stores", Y: "bare PUTs for each write",
	}
	for _, p := range Patterns() {
		if !strings.Contains(p.Name, *only) {
			continue
		}
		for _, s := range []Strategy{Mapstore, RetryOnConflict, Patient, Limit} {
			if s.Name == Limit.Name && !isCoordinated(p) {
				continue
			}
			began := time.Now()
			var runs []*Result
			for seed := range *seeds {
				runs = append(runs, Run(t, s, p, *network, uint64(seed)))
			}
			row(&page, p, s, runs)
			if g := p.Groups[0]; g.Stores > 1 && p.Name == Rollout(g.Stores).Name {
				lines.Series = plot(lines.Series, s.Name, g.Stores, runs)
			}
			t.Logf("%s, %s: %v", p.Name, s.Name, time.Since(began).Round(time.Millisecond))
		}
	}
	if err := os.WriteFile(*write, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(lines.Series) > 0 {
		if err := chart.WriteSVG(filepath.Join(filepath.Dir(*write), "charts", "rollouts.svg"), lines); err != nil {
			t.Fatal(err)
		}
	}
}

// plot adds a point to the strategy's line, unless a write has failed.
func plot(all []chart.Series, strategy string, stores int, runs []*Result) []chart.Series {
	if slices.ContainsFunc(runs, func(r *Result) bool { return r.Failed() > 0 }) {
		return all
	}
	i := slices.IndexFunc(all, func(s chart.Series) bool { return s.Name == strategy })
	if i < 0 {
		i, all = len(all), append(all, chart.Series{Name: strategy})
	}
	all[i].Points = append(all[i].Points, chart.Point{X: float64(stores), Y: median(runs, (*Result).Bares)})
	return all
}

// isCoordinated reports whether the coordinator knows what to do: one round of writes.
func isCoordinated(p Pattern) bool {
	return !slices.ContainsFunc(p.Groups, func(g Group) bool { return g.Function > 0 || g.Away > 0 || g.Plain })
}

func row(page *strings.Builder, p Pattern, s Strategy, runs []*Result) {
	failed := 0
	for _, r := range runs {
		failed += r.Failed()
	}
	for i, g := range runs[0].Groups {
		name := p.Name
		if len(runs[0].Groups) > 1 {
			name += ": " + g.Name
		}
		of := func(value func(*GroupResult) float64) float64 {
			return median(runs, func(r *Result) float64 { return value(r.Groups[i]) })
		}
		duration := func(value func(*GroupResult) time.Duration) string {
			d := time.Duration(of(func(g *GroupResult) float64 { return float64(value(g)) }))
			if d == 0 {
				return "–"
			}
			return d.Round(max(d/100, 100*time.Microsecond)).Round(100 * time.Microsecond).String()
		}
		fmt.Fprintf(page, "| %s | %s | %.2f | %.2f | %s | %s | %s | %.2f | %d |\n", name, s.Name,
			median(runs, (*Result).Bares), median(runs, (*Result).PUTsEach),
			duration(func(g *GroupResult) time.Duration { return g.Quantile(.5) }),
			duration(func(g *GroupResult) time.Duration { return g.Quantile(.99) }),
			duration(func(g *GroupResult) time.Duration { return g.Gap }),
			of((*GroupResult).Fairness), failed)
	}
}

func median(runs []*Result, value func(*Result) float64) float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, value(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
