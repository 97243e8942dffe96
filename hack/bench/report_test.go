package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unrolled/mapstore/v2/hack/bench/report"
	"github.com/unrolled/mapstore/v2/hack/bench/scale"
)

// Each step runs in its quick form and ends in a page whose links lead to charts that
// are drawn. A Set is one request even then.
func TestAQuickRunWritesThePageAndItsCharts(t *testing.T) {
	measured, page, err := shared.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkPage(t, page)
	for _, target := range measured.targets {
		if target.What == "" || target.Against == "" || target.Goal == "" || target.Measured == "" {
			t.Errorf("%+v", target)
		}
	}
	if set := measured.Table("write").Rows[0]; strings.Join(set[3:], " ") != "1 0" {
		t.Errorf("a Set is not one PUT: %q", set)
	}
}

// Every kind of row is measured in the short form, and has figures that can be right.
func TestAQuickScaleRunHasFiguresForEachRow(t *testing.T) {
	result, err := scale.Measure(t.Context(), shared.Rig, true, shared.say)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range result.Maps {
		bytes := float64(m.Bytes())
		for _, r := range m.Rows {
			if r.Watchers > 0 && (r.Sent < bytes || r.Sent > 1.2*bytes+4000) {
				t.Errorf("%s, %d watchers: each was sent %.0f bytes a change", m, r.Watchers, r.Sent)
			}
			if len(r.Took) < 2 || r.CPU <= 0 || r.Live <= 0 {
				t.Errorf("%s, %d watchers: %+v", m, r.Watchers, r)
			}
		}
	}
	checkPage(t, result.Page())
}

// checkPage writes a page into a folder, and looks at what a reader would find in it.
func checkPage(t *testing.T, page *report.Page) {
	t.Helper()
	dir := t.TempDir()
	if err := page.Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, page.Name))
	if err != nil {
		t.Fatal(err)
	}
	checkTables(t, string(text))
	for _, link := range regexp.MustCompile(`\]\((charts/[^)]*)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join(dir, link[1])); err != nil {
			t.Error(err)
		}
	}
	// The page does not tell where it was made.
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{host, home, os.TempDir(), shared.Namespace, "127.0.0.1"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the page names %q", secret)
		}
	}
	// It has the headings and charts of the page in docs, which is this one from a long run.
	kept, err := os.ReadFile(filepath.Join("../../docs", page.Name))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outline(string(text)), outline(string(kept)); got != want {
		t.Errorf("docs/%s has another outline than what is written:\n%s\nwritten:\n%s", page.Name, want, got)
	}
}

// outline returns the headings and charts of a page.
func outline(page string) string {
	return strings.Join(regexp.MustCompile(`(?m)^(#|!\[).*$`).FindAllString(page, -1), "\n")
}

var notANumber = regexp.MustCompile(`\b(NaN|Inf)\b`)

// checkTables finds tables without rows, rows with more or fewer cells than their header
// has, and what comes from a division by zero.
func checkTables(t *testing.T, page string) {
	t.Helper()
	var header string
	rows := 0
	for line := range strings.Lines(page) {
		switch {
		case !strings.HasPrefix(line, "|"):
			if header != "" && rows < 2 { // one is the line under the header
				t.Errorf("a table without rows: %s", header)
			}
			header, rows = "", 0
		case header == "":
			header = line
		default:
			rows++
			if strings.Count(line, "|") != strings.Count(header, "|") || notANumber.MatchString(line) {
				t.Errorf("under %s the row %s", header, line)
			}
		}
	}
}

func TestAMissIsPrintedAsAMiss(t *testing.T) {
	table := report.Targets([]report.Target{{What: "fast", Goal: "<= 1x", Met: true}, {What: "slow", Goal: "<= 1x"}}).String()
	for _, line := range []string{"| fast |  |  |  | <= 1x | yes |", "| slow |  |  |  | <= 1x | **missed** |"} {
		if !strings.Contains(table, line) {
			t.Errorf("the table lacks %q:\n%s", line, table)
		}
	}
}
