// Package report holds what was measured, and writes it as one Markdown page
// with charts beside it.
package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
)

// A Report is all that one run has measured.
type Report struct {
	Machine  []string // what it ran on, a line each
	Quick    bool     // too short a run to mean much
	Sections []Section
}

// A Section is one theme.
type Section struct {
	Title   string
	Text    string // how it was measured
	Targets []Target
	Tables  []Table
	Charts  []Chart
}

// A Target is one line of what the project wants to reach.
type Target struct {
	What     string
	Against  string
	Measured string
	Ratio    string // to what it is held against; empty when there is nothing
	Goal     string
	Met      bool
}

// A Table is a table with numbers; Note says what its columns mean.
type Table struct {
	Note   string
	Header []string
	Rows   [][]string
}

// A Chart is a picture and its file's name, without a folder.
type Chart struct {
	File string
	chart.Picture
	Alt string // what it shows, in words
}

// ChartsDir is where the charts go, in the report's folder.
const ChartsDir = "charts"

// Write writes performance.md and charts/*.svg into dir.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, ChartsDir), 0o755); err != nil {
		return err
	}
	for _, section := range r.Sections {
		for _, c := range section.Charts {
			if err := chart.WriteSVG(filepath.Join(dir, ChartsDir, c.File), c.Picture); err != nil {
				return fmt.Errorf("report: %s: %w", c.File, err)
			}
		}
	}
	var page strings.Builder
	r.Markdown(&page)
	return os.WriteFile(filepath.Join(dir, "performance.md"), []byte(page.String()), 0o644)
}

// Markdown writes the page.
func (r *Report) Markdown(w io.Writer) {
	fmt.Fprintln(w, "# Performance\n\nWritten by `make bench`; what stands here by hand is lost with the next run.")
	if r.Quick {
		fmt.Fprintln(w, "\n**A quick run, to see that it works: its figures mean little.**")
	}
	fmt.Fprintf(w, "\n## Targets\n\n")
	r.targets().Markdown(w)
	for _, section := range r.Sections {
		section.markdown(w)
	}
	fmt.Fprintf(w, "\n## Measured on\n\n")
	for _, line := range r.Machine {
		fmt.Fprintf(w, "- %s\n", line)
	}
	fmt.Fprintln(w, `
API server, etcd and everything that is measured share these cores, so a write
costs what the server's work on it costs. What is compared was run in turns, A B A B,
and a ratio is the median of the ratios of neighbours, so that a busy moment
touches both. p50 and p99 are of all samples together. Charts have logarithmic axes
except for shares.`)
}

func (r *Report) targets() Table {
	t := Table{Header: []string{"what", "against", "measured", "ratio", "target", "met"}}
	for _, section := range r.Sections {
		for _, target := range section.Targets {
			met := "yes"
			if !target.Met {
				met = "**missed**"
			}
			t.Rows = append(t.Rows, []string{target.What, target.Against, target.Measured, target.Ratio, target.Goal, met})
		}
	}
	return t
}

// Missed returns the targets that were not reached.
func (r *Report) Missed() []Target {
	var missed []Target
	for _, section := range r.Sections {
		for _, target := range section.Targets {
			if !target.Met {
				missed = append(missed, target)
			}
		}
	}
	return missed
}

func (s Section) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n", s.Title, strings.TrimSpace(s.Text))
	for _, c := range s.Charts {
		fmt.Fprintf(w, "\n![%s](%s/%s)\n", c.Alt, ChartsDir, c.File)
	}
	for _, t := range s.Tables {
		fmt.Fprintln(w)
		if t.Note != "" {
			fmt.Fprintf(w, "%s\n\n", t.Note)
		}
		t.Markdown(w)
	}
}

// Markdown writes a table whose first column is words and whose others are
// mostly numbers.
func (t Table) Markdown(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|---|%s\n", strings.Join(t.Header, " | "), strings.Repeat("--:|", len(t.Header)-1))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}
