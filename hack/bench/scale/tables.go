package scale

import (
	"fmt"
	"strings"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/model"
	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/stats"
)

func markdown(header []string, rows [][]string) string {
	var text strings.Builder
	report.Table{Header: header, Rows: rows}.Markdown(&text)
	return strings.TrimSuffix(text.String(), "\n")
}

func size(s Series) string { return report.Bytes(float64(s.Bytes())) }

func seconds(s float64) string { return report.Duration(time.Duration(s * float64(time.Second))) }

// amount writes a number of bytes that may be below 0, as a fitted one may be.
func amount(n float64) string {
	if n < 0 {
		return "-" + report.Bytes(-n)
	}
	return report.Bytes(n)
}

// rate writes a number a second, with two digits if it is small.
func rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.2g", perSecond)
	}
	return report.Count(perSecond)
}

// Sent is what each watcher is sent.
func (p *page) Sent() string {
	var rows [][]string
	for _, a := range p.Alone {
		own := p.rows(a.Bytes(), false, false)
		widest := own[len(own)-1]
		row := []string{
			fmt.Sprintf("%s: %d keys x %s", size(a.Series), a.Keys, report.Bytes(float64(a.ValueBytes))),
			report.Count(widest.Down), report.Percent(widest.Down/float64(a.Bytes()) - 1),
		}
		for _, other := range [][]Row{p.rows(a.Bytes(), true, false), p.rows(a.Bytes(), false, true)} {
			cell := "-"
			if len(other) > 0 {
				cell = report.Count(other[len(other)-1].Down)
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, report.Bytes(1000*widest.Down)))
	}
	return markdown([]string{"values", "bytes a change and watcher", "more than the values", "on shared connections", "as JSON", "a change, 1,000 watchers"}, rows)
}

// Changes is what changes cost the API server.
func (p *page) Changes() string {
	var rows [][]string
	for _, a := range p.Alone {
		rows = append(rows, []string{size(a.Series), "0", report.Count(a.Changes), seconds(a.CPU), "-", "-", "-"})
		for _, r := range p.rows(a.Bytes(), false, false) {
			rows = append(rows, []string{
				size(r.Series), report.Count(r.Watchers), report.Count(r.Changes), seconds(r.CPU),
				report.Duration(stats.Median(r.Last)), report.Duration(stats.Percentile(r.Last, 99)), report.Bytes(r.Resident),
			})
		}
	}
	return markdown([]string{"values", "watchers", "changes", "CPU a change", "the last watcher has it, p50", "p99", "resident after them"}, rows)
}

// Encodings compares the ways to watch, at the most watchers that all have.
func (p *page) Encodings() string {
	var rows [][]string
	for _, a := range p.alone(false) {
		for _, j := range p.rows(a.Bytes(), false, true) {
			for _, kind := range []struct {
				name         string
				shared, json bool
			}{{"protobuf", false, false}, {"protobuf, shared connections", true, false}, {"JSON", false, true}} {
				for _, r := range p.rows(a.Bytes(), kind.shared, kind.json) {
					if r.Watchers == j.Watchers {
						rows = append(rows, []string{kind.name, size(r.Series), report.Count(r.Watchers), seconds(r.CPU), report.Duration(stats.Median(r.Last))})
					}
				}
			}
		}
	}
	return markdown([]string{"", "values", "watchers", "CPU a change", "the last watcher has it, p50"}, rows)
}

// Memory is what watchers take of the API server.
func (p *page) Memory() string {
	var rows [][]string
	shared := p.rows(p.Alone[0].Bytes(), true, false)
	for i, r := range p.rows(p.Alone[0].Bytes(), false, false) {
		rows = append(rows, []string{
			report.Count(r.Watchers), report.Bytes(r.Live), report.Bytes(r.Resident),
			report.Count(shared[i].Connections), report.Bytes(shared[i].Live),
		})
	}
	return markdown([]string{"watchers", "a connection each: heap and stacks", "resident", "shared: connections", "heap and stacks"}, rows)
}

// Models are the lines, and how far they are off.
func (p *page) Models() string {
	var rows [][]string
	add := func(what string, l line, write func(float64) string) {
		a, errorA := l.model.Coefficient(0)
		b, errorB := l.model.Coefficient(1)
		rows = append(rows, append([]string{
			what, write(a) + " ± " + write(errorA), write(b) + " ± " + write(errorB),
		}, trial(l.trial, l.trial.Terms[1], write)...))
	}
	for _, l := range p.models.cpu {
		add("CPU a change, "+l.name, l, seconds)
	}
	for _, l := range p.models.memory {
		add("memory, "+l.name, l, amount)
	}
	return markdown([]string{"", "a", "b, for each watcher", "held out", "predicted", "measured", "off by"}, rows)
}

// trial writes how a prediction compares.
func trial(t model.Trial, watchers float64, write func(float64) string) []string {
	off := fmt.Sprintf("%+.0f %%", 100*t.Error())
	if !t.Inside() {
		off += ", outside the band"
	}
	return []string{report.Count(watchers), write(t.Predicted) + " ± " + write(t.Band), write(t.Y), off}
}

// FormulaTrials holds the formula against what it was made without.
func (p *page) FormulaTrials() string {
	var rows [][]string
	add := func(why string, trials []model.Trial) {
		for _, t := range trials {
			rows = append(rows, append([]string{why, report.Bytes(t.Terms[1])}, trial(t, t.Terms[2], seconds)...))
		}
	}
	add("the most watchers", p.models.trials)
	add("a size in between", p.models.checks)
	return markdown([]string{"held out", "values", "watchers", "predicted", "measured", "off by"}, rows)
}

// farther are the numbers of watchers that the models are carried to.
var farther = []float64{1000, 10_000, 100_000}

// Farther carries the models farther than was measured.
func (p *page) Farther() string {
	var rows [][]string
	for i, a := range p.alone(false) {
		own := p.rows(a.Bytes(), false, false)
		for _, w := range farther {
			cpu, band := p.models.cpu[i].model.At(1, w)
			live, liveBand := p.models.memory[0].model.At(1, w)
			rows = append(rows, []string{
				size(a.Series), report.Count(w), seconds(cpu) + " ± " + seconds(band), rate(1 / cpu),
				report.Bytes(own[len(own)-1].Down * w), amount(live) + " ± " + amount(liveBand),
			})
		}
	}
	return markdown([]string{"values", "watchers", "CPU a change", "changes/s on one core", "sent a change", "heap and stacks"}, rows)
}
