package scale

import (
	"fmt"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// What Kubernetes and etcd keep, by their sources and defaults.
const (
	leastEvents = 100     // that the watch cache holds of a resource
	mostEvents  = 102_400 // likewise
	freshFor    = 75      // seconds in which it does not let go of any

	compactAfter = 600.0 // seconds that etcd's history can be long: twice the interval of compactions
	quota        = 2 << 30
	largeQuota   = 8 << 30
	raftEntries  = 5000 // that etcd keeps in memory

	returnsAnHour = 60 / 7.5 // a client's watch lasts 5 to 10 minutes
)

// events is how many events of a resource the watch cache holds, in the long run.
func events(perSecond float64) float64 {
	n := float64(leastEvents)
	for n < freshFor*perSecond && n < mostEvents {
		n *= 2
	}
	return min(n, mostEvents)
}

// Kept is what the API server's watch cache keeps.
func (p *page) Kept() string {
	var rows [][]string
	for _, a := range p.Alone {
		row := []string{size(a.Series), amount(a.Live)}
		for _, r := range []float64{1.0 / 60, 1, 10} {
			row = append(row, amount(a.Live*events(r)))
		}
		rows = append(rows, row)
	}
	header := []string{"values", "measured, a change"}
	for i, r := range []string{"1 a minute", "1/s", "10/s"} {
		header = append(header, fmt.Sprintf("%s: %s events", r, report.Count(events([]float64{1.0 / 60, 1, 10}[i]))))
	}
	return markdown(header, rows)
}

// Etcd is what etcd keeps.
func (p *page) Etcd() string {
	var rows [][]string
	for _, a := range p.Alone {
		rows = append(rows, []string{
			size(a.Series), report.Bytes(a.DB), rate(quota / (a.DB * compactAfter)), rate(largeQuota / (a.DB * compactAfter)),
			amount(a.Raft), amount(a.Raft * raftEntries), seconds(a.EtcdCPU),
		})
	}
	return markdown([]string{"values", "database, a change", "changes/s to 2 GiB", "to 8 GiB", "memory, a change", "the last 5,000", "CPU a change"}, rows)
}

// Writes is the limit of one writer after the other.
func (p *page) Writes() string {
	var rows [][]string
	for _, a := range p.Alone {
		typical := stats.Median(a.Took)
		rows = append(rows, []string{
			size(a.Series), report.Duration(typical), report.Duration(stats.Percentile(a.Took, 99)),
			report.Duration(a.Fsync), rate(float64(time.Second) / float64(typical)),
		})
	}
	return markdown([]string{"values", "a write, p50", "p99", "of it, etcd's fsync (mean)", "commits/s at best"}, rows)
}

// IdleHour is what a watcher costs while nobody writes.
func (p *page) IdleHour() string {
	i := p.Idle
	hours := i.Hold.Hours() * float64(i.Watchers)
	rows := [][]string{{
		"bookmarks and pings, measured over " + i.Hold.String(), fmt.Sprintf("%.0f", float64(i.Bookmarks)/hours),
		report.Bytes(float64(i.Down) / hours), report.Bytes(float64(i.Up) / hours), "-",
	}}
	for _, r := range p.Returns {
		rows = append(rows, []string{
			"watching anew, " + size(r.Series), fmt.Sprintf("%.0f", returnsAnHour), report.Bytes(r.Down * returnsAnHour),
			report.Bytes(r.Up * returnsAnHour), seconds(r.CPU * returnsAnHour),
		})
	}
	return markdown([]string{"for each watcher", "times an hour", "bytes to it an hour", "from it", "CPU an hour"}, rows)
}

// pods is the number of watchers in the example.
const pods = 500

// Example works one case out.
func (p *page) Example() string {
	a := p.example()
	own := p.rows(a.Bytes(), false, false)
	down := own[len(own)-1].Down
	memory, _ := p.models.memory[0].model.At(1, pods)
	cpu, band := p.models.formula.At(terms(float64(a.Bytes()), pods)...)
	rows := [][]string{
		{"sent by the API server"}, {"its CPU, of one core"}, {"its memory: watchers"}, {"its memory: history"},
		{"etcd's history, at most"}, {"etcd's memory: the last 5,000 changes"},
	}
	for _, r := range []float64{1.0 / 60, 1} {
		for i, cell := range []string{
			fmt.Sprintf("%s/s (%s Mbit/s)", report.Bytes(down*pods*r), rate(down*pods*r*8/1e6)),
			fmt.Sprintf("%s ± %s", report.Percent(cpu*r), report.Percent(band*r)),
			amount(memory), amount(a.Live * events(r)), report.Bytes(a.DB * r * compactAfter), amount(a.Raft * raftEntries),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	return markdown([]string{size(a.Series) + ", " + report.Count(pods) + " watchers", "one change a minute", "one change a second"}, rows)
}
