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

// Every kind of row is measured in the short form, and has figures that can be right.
func TestAQuickScaleRunHasFiguresForEachRow(t *testing.T) {
	result, err := scale.Measure(t.Context(), shared.Rig, true, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range result.Rows {
		if r.Down < float64(r.Bytes()) || r.Down > 1.2*float64(r.Bytes())+4000 {
			t.Errorf("%s, %d watchers: each was sent %.0f bytes a change", r.Series, r.Watchers, r.Down)
		}
		if want := int64(r.Watchers); !r.Shared && r.Connections != want || r.Shared && r.Connections != 1 {
			t.Errorf("%s, %d watchers: %d connections", r.Series, r.Watchers, r.Connections)
		}
		if len(r.Last) != r.Changes || r.Changes == 0 || r.CPU <= 0 || r.Live <= 0 || r.Resident < r.Live {
			t.Errorf("%s, %d watchers: %+v", r.Series, r.Watchers, r)
		}
	}
	for _, a := range result.Alone {
		// etcd stores the object once, in pages of 4 KiB, with its index. Pages that it
		// gives back at the same time weigh more than few small changes.
		if a.Bytes()*a.Changes > 1_000_000 && a.DB < float64(a.Bytes())/2 || a.DB > 3*float64(a.Bytes())+50_000 {
			t.Errorf("%s: etcd grew by %.0f bytes a change", a.Series, a.DB)
		}
		if len(a.Took) != a.Changes || a.Changes == 0 || a.CPU <= 0 || a.EtcdCPU <= 0 || a.Fsync <= 0 {
			t.Errorf("%s: %+v", a.Series, a)
		}
	}
	for _, r := range result.Returns {
		if r.Down < float64(r.Bytes())/3 || r.Up <= 0 || r.CPU <= 0 {
			t.Errorf("%s: to come back took %+v", r.Series, r)
		}
	}
	if len(result.Rows) < 15 || len(result.Alone) < 4 || len(result.Returns) < 3 || result.Writers.Acknowledged == 0 {
		t.Errorf("%d, %d and %d rows, %d writes", len(result.Rows), len(result.Alone), len(result.Returns), result.Writers.Acknowledged)
	}

	dir := t.TempDir()
	if err := result.Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	checkTables(t, string(text))
	links := regexp.MustCompile(`\(charts/([a-z0-9-]+\.svg)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) != 2 {
		t.Errorf("the page has %d charts", len(links))
	}
	for _, link := range links {
		checkSVG(t, filepath.Join(dir, report.ChartsDir, link[1]))
	}
	checkDiscreet(t, string(text))
}

// checkTables finds tables without rows, rows with more or fewer cells than their header
// has, empty cells and what comes from a division by zero.
func checkTables(t *testing.T, page string) {
	t.Helper()
	var header string
	rows, tables := 0, 0
	for line := range strings.Lines(page) {
		switch cells := strings.Count(line, "|"); {
		case !strings.HasPrefix(line, "|"):
			if header != "" && rows < 2 { // one is the line under the header
				t.Errorf("a table without rows: %s", header)
			}
			header, rows = "", 0
		case header == "":
			header = line
			tables++
		default:
			rows++
			if cells != strings.Count(header, "|") || isNoNumber(line) || strings.Contains(line, "|  |") {
				t.Errorf("under %s the row %s", header, line)
			}
		}
	}
	if tables < 11 {
		t.Errorf("the page has %d tables", tables)
	}
}
