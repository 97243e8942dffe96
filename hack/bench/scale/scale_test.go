package scale

import (
	"bufio"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// madeUp is a result whose CPU follows a formula.
func madeUp(cpu func(bytes, watchers float64) float64) *Result {
	r := &Result{Machine: []string{"a made-up machine"}, Maps: maps([]int{0, 1, 10, 30, 100, 300, 1000}, []int{0, 30, 300})}
	for _, m := range r.Maps {
		bytes := float64(m.Bytes())
		for i := range m.Rows {
			row := &m.Rows[i]
			watchers := float64(row.Watchers)
			row.Live, row.CPU, row.Sent = 1e8+80_000*watchers, cpu(bytes, watchers), 1.25*bytes
			row.Took = []time.Duration{4 * time.Millisecond, 4 * time.Millisecond, 9 * time.Millisecond}
		}
	}
	return r
}

func linear(bytes, watchers float64) float64 {
	return 0.002 + 2e-8*bytes + watchers*(3e-5+1e-9*bytes)
}

func TestThePageHasWhatTheFiguresSay(t *testing.T) {
	page, err := madeUp(linear).Page()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := page.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"= 2.00 ms + 20.0 µs · kB + 30.0 µs · watchers + 1.00 µs · watchers · kB.", // the formula
		"80.0 kB for each watcher",
		"250 commits a second at best", // 1 / 4 ms
		"| 32.0 kB | 40.0 kB | 2.64 ms | 2.70 ms | 3.26 ms | 4.50 ms | 8.84 ms | 21.2 ms | 64.6 ms | 4.00 ms |", // 2 + 0.64 + 0.062 · watchers
		"| 200 kB | 250 kB | 6.00 ms | - | - | 12.9 ms | - | 75.0 ms | - | - |",                                 // 6 + 0.23 · watchers
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

// The error is that of what was left out: a fit is near to what it was made of.
func TestAServerThatFollowsNoLineShows(t *testing.T) {
	for name, test := range map[string]struct {
		more func(bytes, watchers float64) float64
		want float64
	}{
		"none":                     {func(_, _ float64) float64 { return 0 }, 0},
		"a square of the watchers": {func(_, w float64) float64 { return 1e-6 * w * w }, 0.5},
		"the most watchers":        {func(_, w float64) float64 { return 0.5 * math.Floor(w/1000) }, 0.5},
		"the size in between":      {func(b, _ float64) float64 { return 0.1 * (1 - min(1, math.Abs(b-2e5))) }, 0.5},
	} {
		_, off, err := madeUp(func(bytes, watchers float64) float64 { return linear(bytes, watchers) + test.more(bytes, watchers) }).model()
		if err != nil {
			t.Fatal(err)
		}
		if off < test.want || test.want == 0 && off > 1e-6 {
			t.Errorf("%s: off by %.3g, want %.3g", name, off, test.want)
		}
	}
}

// Of y and 1.1 y, where each is weighted by its own 1/y², and not the mean, whether y
// is small or large; and what decides nothing is not fitted.
func TestTheErrorsThatAreLeastAreRelative(t *testing.T) {
	var samples []sample
	for _, y := range []float64{1, 1000} {
		samples = append(samples, sample{[]float64{1, y}, y}, sample{[]float64{1, y}, 1.1 * y})
	}
	m, err := fit(samples)
	if err != nil {
		t.Fatal(err)
	}
	for _, y := range []float64{1, 1000} {
		if got, want := m.at([]float64{1, y})/y, (1+1/1.1)/(1+1/1.21); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is fitted as %v times that, want %v", y, got, want)
		}
	}
	for name, samples := range map[string][]sample{
		"as many as terms": samples[1:3], "one place": {samples[0], samples[0], samples[0]}, "nothing": nil,
	} {
		if m, err := fit(samples); err == nil {
			t.Errorf("%s is fitted: %v", name, m)
		}
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
