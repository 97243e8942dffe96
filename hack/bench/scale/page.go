package scale

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

//go:embed scale.md.tmpl
var prose string

// figures has the methods that the page's template calls.
type figures struct {
	*Result
	cpu model   // of a change
	off float64 // how far it is off
}

// Page returns docs/scale.md and its chart.
func (r *Result) Page() (*report.Page, error) {
	cpu, off, err := r.model()
	if err != nil {
		return nil, err
	}
	return &report.Page{
		Name: "scale.md", Template: prose, Figures: figures{r, cpu, off},
		Charts: map[string]chart.Picture{"scale-cpu.svg": r.picture(cpu)},
	}, nil
}

func size(m Map) string { return report.Bytes(float64(m.Bytes())) }

func seconds(s float64) string { return report.Duration(time.Duration(s * float64(time.Second))) }

// rate writes a number a second, with two digits if it is small.
func rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.2g", perSecond)
	}
	return report.Count(perSecond)
}

// sent is what each watcher is sent of a change. A version that is kept is as large.
func (m Map) sent() float64 { return m.Rows[len(m.Rows)-1].Sent }

// commits is how many a second the map takes, one after the other.
func (m Map) commits() string { return rate(1 / stats.Median(m.Rows[0].Took).Seconds()) }

// Formula is the API server's CPU for a change of any size.
func (f figures) Formula() string {
	const kilo = 1000
	c := f.cpu
	return fmt.Sprintf("%s + %s · kB + %s · watchers + %s · watchers · kB",
		seconds(c[0]), seconds(c[1]*kilo), seconds(c[2]), seconds(c[3]*kilo))
}

// Off is how far the formula is off.
func (f figures) Off() string { return report.Percent(f.off) }

// WatcherMemory is what one watcher takes of the API server.
func (f figures) WatcherMemory() string {
	rows := f.Maps[0].Rows
	few, many := rows[1], rows[len(rows)-1]
	return report.Bytes((many.Live - few.Live) / float64(many.Watchers-few.Watchers))
}

// SmallCommits is how many commits a second the smallest map takes.
func (f figures) SmallCommits() string { return f.Maps[0].commits() }

// LargeCommits is the same for the largest.
func (f figures) LargeCommits() string { return f.Maps[len(f.Maps)-1].commits() }

// Changes is what a change costs the API server.
func (f figures) Changes() report.Table {
	var numbers []int
	t := report.Table{Header: []string{"values", "sent to each watcher", "CPU without any"}}
	for i, r := range f.Maps[0].Rows {
		if numbers = append(numbers, r.Watchers); i > 0 {
			t.Header = append(t.Header, report.Count(r.Watchers))
		}
	}
	most := numbers[len(numbers)-1]
	t.Header = append(t.Header, fmt.Sprintf("the last of %s has it", report.Count(most)))
	for _, m := range f.Maps {
		cells := slices.Repeat([]string{"-"}, len(t.Header)) // not measured
		cells[0], cells[1] = size(m), report.Bytes(m.sent())
		for _, r := range m.Rows {
			cells[2+slices.Index(numbers, r.Watchers)] = seconds(r.CPU)
			if r.Watchers == most {
				cells[len(cells)-1] = report.Duration(stats.Median(r.Took))
			}
		}
		t.Add(cells...)
	}
	return t
}

// What etcd and the API server keep, by their sources and defaults.
const (
	compactAfter = 600.0 // seconds that etcd's history can be long: twice the interval of compactions
	quota        = 2 << 30
	raftEntries  = 5000 // that etcd keeps in memory
	leastEvents  = 100  // that the watch cache holds of a resource
)

// Limits are what bounds the changes of a map without any watcher.
func (f figures) Limits() report.Table {
	t := report.Table{Header: []string{
		"values", "a write, p50", "p99", "commits/s at best", "changes/s to etcd's quota", "etcd's memory", "API server's memory",
	}}
	for _, m := range f.Maps {
		took := m.Rows[0].Took
		t.Add(size(m), report.Duration(stats.Median(took)), report.Duration(stats.Percentile(took, 99)), m.commits(),
			rate(quota/(m.sent()*compactAfter)), report.Bytes(m.sent()*raftEntries), report.Bytes(m.sent()*leastEvents))
	}
	return t
}
