package scale

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

//go:embed scale.md.tmpl
var prose string

// figures has the methods that the page's template calls.
type figures struct{ *Result }

// Page returns docs/scale.md.
func (r *Result) Page() *report.Page {
	return &report.Page{Name: "scale.md", Template: prose, Figures: figures{r}}
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
	t := report.Table{Header: []string{"values", "sent to each watcher", "CPU without any"}}
	rows := f.Maps[0].Rows
	for _, r := range rows[1:] {
		t.Header = append(t.Header, report.Count(r.Watchers))
	}
	most := len(rows) - 1
	t.Header = append(t.Header, fmt.Sprintf("the last of %s has it", report.Count(rows[most].Watchers)))
	for _, m := range f.Maps {
		cells := []string{size(m), report.Bytes(m.sent())}
		for _, r := range m.Rows {
			cells = append(cells, seconds(r.CPU))
		}
		t.Add(append(cells, report.Duration(stats.Median(m.Rows[most].Took)))...)
	}
	return t
}

// ForeignCPU is what a change that a family does not select costs the server.
func (f figures) ForeignCPU() string { return seconds(f.Foreign) }

// Crowds compares ways to follow many maps.
func (f figures) Crowds() report.Table {
	t := report.Table{Header: []string{"maps", "way", "watches", "all there after", "heap a map", "API server's memory", "its CPU a change", "a change is known after, p50", "p99"}}
	for _, c := range f.Result.Crowds {
		heap := "–" // of few maps it is that of connections, and of what was there before
		if c.Maps >= 100 {
			heap = report.Bytes(c.Heap)
		}
		t.Add(report.Count(c.Maps), c.Way, report.Count(int(c.Watches)), report.Duration(c.Sync), heap, report.Bytes(c.Live),
			seconds(c.CPU), report.Duration(stats.Median(c.Took)), report.Duration(stats.Percentile(c.Took, 99)))
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
