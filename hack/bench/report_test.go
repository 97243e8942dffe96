package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
)

// Every step but the slowest runs in its quick form and ends in a page whose
// links lead to charts that can be drawn.
func TestAQuickRunWritesThePageAndItsCharts(t *testing.T) {
	quick, err := choose("reads,write,writers,contention,propagation,event,keys,heap,subscriptions,fleet,sync")
	if err != nil {
		t.Fatal(err)
	}
	page, err := shared.run(t.Context(), quick)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := page.Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range page.Sections {
		if !strings.Contains(string(text), "\n## "+section.Title+"\n") {
			t.Errorf("the page lacks %q", section.Title)
		}
		if len(section.Targets) == 0 && section.Title != "Cost over the number of keys" {
			t.Errorf("%q has no target", section.Title)
		}
	}
	checkCells(t, page)
	links := regexp.MustCompile(`\(charts/([a-z0-9-]+\.svg)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) < 7 {
		t.Errorf("the page has %d charts", len(links))
	}
	for _, link := range links {
		checkSVG(t, filepath.Join(dir, report.ChartsDir, link[1]))
	}
	checkDiscreet(t, string(text))
}

// checkCells finds rows with more or fewer cells than their header has, and
// values that come from a division by zero.
func checkCells(t *testing.T, page *report.Report) {
	t.Helper()
	for _, section := range page.Sections {
		for _, table := range section.Tables {
			for _, row := range table.Rows {
				if len(row) != len(table.Header) {
					t.Errorf("%s: %d cells under %d headers: %v", section.Title, len(row), len(table.Header), row)
				}
				if slices.ContainsFunc(row, isNoNumber) {
					t.Errorf("%s: %v", section.Title, row)
				}
			}
		}
		for _, target := range section.Targets {
			if target.What == "" || target.Against == "" || target.Goal == "" || target.Measured == "" || isNoNumber(target.Measured) || isNoNumber(target.Ratio) {
				t.Errorf("%s: %+v", section.Title, target)
			}
		}
	}
}

func isNoNumber(cell string) bool {
	return strings.Contains(cell, "NaN") || strings.Contains(cell, "Inf")
}

// checkSVG makes sure that a chart is well-formed, on white, and says something.
func checkSVG(t *testing.T, path string) {
	t.Helper()
	svg, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	texts := 0
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			return
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			texts++
		}
	}
	if texts < 5 {
		t.Errorf("%s has %d texts: a title, two axes, ticks and a legend are more", filepath.Base(path), texts)
	}
	if !strings.Contains(strings.ToUpper(string(svg)), "FILL:#FFFFFF") {
		t.Errorf("%s has no white background", filepath.Base(path))
	}
}

// checkDiscreet makes sure that the page does not tell where it was made.
func checkDiscreet(t *testing.T, page string) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{host, home, os.TempDir(), shared.Namespace, "127.0.0.1"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page names %q", secret)
		}
	}
}

// A miss is printed as a miss.
func TestAMissIsPrintedAsAMiss(t *testing.T) {
	page := &report.Report{Sections: []report.Section{{Title: "T", Targets: []report.Target{
		{What: "fast", Goal: "<= 1x", Met: true},
		{What: "slow", Goal: "<= 1x"},
	}}}}
	var text bytes.Buffer
	page.Markdown(&text)
	for _, line := range []string{"| fast |  |  |  | <= 1x | yes |", "| slow |  |  |  | <= 1x | **missed** |"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the page lacks %q:\n%s", line, &text)
		}
	}
	if missed := page.Missed(); len(missed) != 1 || missed[0].What != "slow" {
		t.Errorf("missed: %v", missed)
	}
}

func TestAnUnknownStepIsAnError(t *testing.T) {
	if _, err := choose("reads,nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("choose: %v", err)
	}
}
