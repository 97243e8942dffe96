package scale

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

// prose is the page around the figures, none of which stands in it.
//
//go:embed scale.md.tmpl
var prose string

// A page has the methods that the prose calls for its figures.
type page struct {
	*Result
	models *models
}

// Write writes scale.md and charts/scale-*.svg into dir.
func (r *Result) Write(dir string) error {
	m, err := r.models()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, report.ChartsDir), 0o755); err != nil {
		return err
	}
	for file, picture := range m.charts() {
		if err := chart.WriteSVG(filepath.Join(dir, report.ChartsDir, file), picture); err != nil {
			return fmt.Errorf("scale: %s: %w", file, err)
		}
	}
	var text strings.Builder
	if err := r.Markdown(&text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "scale.md"), []byte(text.String()), 0o644)
}

// Markdown writes the page.
func (r *Result) Markdown(w io.Writer) error {
	m, err := r.models()
	if err != nil {
		return err
	}
	t, err := template.New("scale.md").Option("missingkey=error").Parse(prose)
	if err != nil {
		return err
	}
	return t.Execute(w, &page{r, m})
}

// charts are the charts by their file's name.
func (m *models) charts() map[string]chart.Picture {
	return map[string]chart.Picture{
		"scale-cpu.svg": chart.Fits{
			Title: "API server's CPU for one change, model with 95 % band",
			X:     "watchers, each with a connection of its own", Y: "CPU a change, s",
			Series: fits(m.cpu, " of values", 1),
		},
		"scale-memory.svg": chart.Fits{
			Title: "API server's memory, model with 95 % band",
			X:     "watchers, nobody writing", Y: "heap and stacks, GB",
			Series: fits(m.memory, "", 1e-9),
		},
	}
}

// fits draws lines, with the figures times unit.
func fits(lines []line, suffix string, unit float64) []chart.Fit {
	var all []chart.Fit
	for _, l := range lines {
		f := chart.Fit{Name: l.name + suffix}
		for _, s := range l.samples {
			if s.Terms[1] > 0 { // a logarithmic axis has no 0
				f.Measured = append(f.Measured, chart.Point{X: s.Terms[1], Y: s.Y * unit})
			}
		}
		for exponent := 0.0; exponent <= 5; exponent += 0.125 {
			x := math.Pow(10, exponent)
			y, band := l.model.At(1, x)
			if y <= 0 {
				continue // nor anything below it, where noise has put the line
			}
			f.Model = append(f.Model, chart.Banded{X: x, Y: y * unit, Low: (y - band) * unit, High: (y + band) * unit})
		}
		all = append(all, f)
	}
	return all
}

// example is the size that the formula was made without, and is held against.
func (p *page) example() Alone { return p.alone(true)[0] }

// Formula is the CPU of a change of any size.
func (p *page) Formula() string {
	var c [4]float64
	for i := range c {
		c[i], _ = p.models.formula.Coefficient(i)
	}
	const kilo = 1000
	return fmt.Sprintf("%s + %s · kB + %s · watchers + %s · watchers · kB",
		seconds(c[0]), seconds(c[1]*kilo), seconds(c[2]), seconds(c[3]*kilo))
}

// WorstTrial is the largest error of the formula where it was held against what it was
// made without.
func (p *page) WorstTrial() string {
	worst := 0.0
	for _, t := range append(p.models.trials, p.models.checks...) {
		worst = max(worst, math.Abs(t.Error()))
	}
	return report.Percent(worst)
}

// WatcherMemory is what the model says of one watcher.
func (p *page) WatcherMemory() string {
	b, _ := p.models.memory[0].model.Coefficient(1)
	return amount(b)
}

// SharedMemory is the same for those that share connections.
func (p *page) SharedMemory() string {
	b, _ := p.models.memory[1].model.Coefficient(1)
	return amount(b)
}

// The rest are single figures for the text.

func (p *page) largest() Alone {
	all := p.alone(false)
	return all[len(all)-1]
}

// LargestEvents is the watch cache's least history of the largest map.
func (p *page) LargestEvents() string { return amount(p.largest().Live * leastEvents) }

// LargestRaft is etcd's memory for the last changes of the largest map.
func (p *page) LargestRaft() string { return amount(p.largest().Raft * raftEntries) }

// SmallCommits is how many commits a second the smallest map takes.
func (p *page) SmallCommits() string { return commits(p.Alone[0]) }

// LargeCommits is the same for the largest.
func (p *page) LargeCommits() string { return commits(p.largest()) }

func commits(a Alone) string { return rate(float64(time.Second) / float64(stats.Median(a.Took))) }

// Transactions is how many a second many writers of one store get acknowledged.
func (p *page) Transactions() string { return report.Count(p.Writers.PerSecond()) }

// PUTs is how many requests a second carried them.
func (p *page) PUTs() string {
	return report.Count(float64(p.Writers.PUTs) / p.Writers.Elapsed.Seconds())
}

// WritersEach is the number of those writers.
func (p *page) WritersEach() int { return p.Writers.Writers }

// IdleShare is what the API server takes of a core with many watchers and nobody writing.
func (p *page) IdleShare() string { return report.Percent(max(p.Idle.Share, 0)) }

// BeforeShare is the same without any watcher.
func (p *page) BeforeShare() string { return report.Percent(p.Idle.Before) }

// Cores is the number of cores that all share.
func (p *page) Cores() int { return runtime.NumCPU() }

// RaftEntries is how many changes etcd keeps in memory.
func (p *page) RaftEntries() string { return report.Count(raftEntries) }

// ReturnsAnHour is how often a watch begins anew.
func (p *page) ReturnsAnHour() float64 { return returnsAnHour }

// Pods is the number of watchers in the example.
func (p *page) Pods() int { return pods }
