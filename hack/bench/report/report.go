// Package report writes what was measured as pages of docs, with charts beside them.
package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
)

// A Page is one page: a template of text/template, in which no figures stand, what it is
// executed with, and its charts by their file's name.
type Page struct {
	Name     string // of the file
	Template string
	Figures  any
	Charts   map[string]chart.Picture
}

// Markdown writes the page.
func (p *Page) Markdown(w io.Writer) error {
	t, err := template.New(p.Name).Parse(p.Template)
	if err != nil {
		return err
	}
	return t.Execute(w, p.Figures)
}

// Write writes the page and its charts, in the folder charts, into dir.
func (p *Page) Write(dir string) error {
	var text strings.Builder
	if err := p.Markdown(&text); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "charts"), 0o755); err != nil {
		return err
	}
	for file, picture := range p.Charts {
		if err := chart.WriteSVG(filepath.Join(dir, "charts", file), picture); err != nil {
			return fmt.Errorf("report: %s: %w", file, err)
		}
	}
	return os.WriteFile(filepath.Join(dir, p.Name), []byte(text.String()), 0o644)
}

// A Section is the figures of one theme.
type Section struct {
	Targets []Target
	Table   Table
	Charts  map[string]chart.Picture // by the file's name
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

// Targets returns a table of them.
func Targets(targets []Target) Table {
	t := Table{Header: []string{"what", "against", "measured", "ratio", "target", "met"}}
	for _, target := range targets {
		met := "yes"
		if !target.Met {
			met = "**missed**"
		}
		t.Add(target.What, target.Against, target.Measured, target.Ratio, target.Goal, met)
	}
	return t
}

// A Table is a table whose first column is words and whose others are mostly numbers.
type Table struct {
	Header []string
	Rows   [][]string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// String returns the table in Markdown.
func (t Table) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "| %s |\n|---|%s", strings.Join(t.Header, " | "), strings.Repeat("--:|", len(t.Header)-1))
	for _, row := range t.Rows {
		fmt.Fprintf(&text, "\n| %s |", strings.Join(row, " | "))
	}
	return text.String()
}
