package scale

import (
	"bufio"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestThePageHasWhatTheFiguresSay(t *testing.T) {
	r := &Result{Machine: []string{"a made-up machine"}, Maps: maps(0, 1, 10, 30, 100, 300, 1000)}
	for _, m := range r.Maps {
		bytes := float64(m.Bytes())
		for i := range m.Rows {
			row := &m.Rows[i]
			watchers := float64(row.Watchers)
			row.Live, row.Sent = 1e8+80_000*watchers, 1.25*bytes
			row.CPU = 0.002 + 2e-8*bytes + watchers*(3e-5+1e-9*bytes)
			row.Took = []time.Duration{4 * time.Millisecond, 4 * time.Millisecond, 9 * time.Millisecond}
		}
	}
	var text strings.Builder
	if err := r.Page().Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"80.0 kB for each watcher",
		"250 commits a second at best", // 1 / 4 ms
		"| 32.0 kB | 40.0 kB | 2.64 ms | 2.70 ms | 3.26 ms | 4.50 ms | 8.84 ms | 21.2 ms | 64.6 ms | 4.00 ms |", // 2 + 0.64 + 0.062 · watchers
		"| 1.00 MB | 4.00 ms | 9.00 ms | 250 | 2.9 | 6.25 GB | 125 MB |",                                        // 2 GiB / (600 · 1.25 MB), 5000 and 100 of them
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text.String())
	}
}

func TestMetricsWithLabelsAreLeftOut(t *testing.T) {
	m := parseMetrics([]byte("# HELP a b\n# TYPE a counter\na 1.5e+03\nb{c=\"d\"} 7\ne{f=\"g h\"} 8\nc NaNs\nd 2\n"))
	if len(m) != 2 || m["a"] != 1500 || m["d"] != 2 {
		t.Errorf("metrics: %v", m)
	}
}

// event encodes an event with an object of the given size as the API server does.
func event(t *testing.T, kind string, size int) string {
	t.Helper()
	body, err := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: make([]byte, size)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)) //nolint:gosec // small
}

func TestEachChangeIsCountedOnceAndNothingElse(t *testing.T) {
	change := event(t, "MODIFIED", 100)
	whole := ""
	for _, size := range []int{1, 20, 5000, 1, 1_000_000, 4096} {
		whole += event(t, "MODIFIED", size)
	}
	for _, test := range []struct {
		name, stream string
		changes      int
		bytes        int
	}{
		{"changes of any size", whole, 6, len(whole)},
		{"the server ends the watch", change + event(t, "ERROR", 100) + change, 1, len(change)},
		{"a cut length", change + change[:3], 1, len(change)},
		{"a cut head", change[:9], 0, 0},
		{"a cut body", change[:50], 0, 0},
		{"no watch", "404 page not found\n", 0, 0},
	} {
		body, changes, bytes := bufio.NewReader(strings.NewReader(test.stream)), 0, 0
		for {
			n, err := nextChange(body)
			if err != nil {
				break
			}
			changes, bytes = changes+1, bytes+n
		}
		if changes != test.changes || bytes != test.bytes {
			t.Errorf("%s: %d changes of %d bytes, want %d of %d", test.name, changes, bytes, test.changes, test.bytes)
		}
	}
}
