package scale

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/chart"
	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/model"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// madeUp is a result whose CPU follows a formula.
func madeUp(cpu func(bytes, watchers float64) float64) *Result {
	r := &Result{
		Machine: []string{"a made-up machine"},
		Idle:    Idle{Watchers: 1000, Hold: time.Minute, Bookmarks: 1000, Down: 200_000, Up: 50_000, Share: 0.04, Before: 0.03},
		Writers: &load.Result{
			Plan: load.Plan{Writers: 64}, Counts: rig.Counts{PUTs: 500}, Elapsed: time.Second, InTime: 16_000,
		},
	}
	for _, s := range full().series {
		bytes := float64(s.Bytes())
		for _, w := range s.Watchers {
			r.Rows = append(r.Rows, Row{
				Series: s, Watchers: w, Connections: 1, Live: 1e8 + 80_000*float64(w), Resident: 3e8,
				Changes: 2, CPU: cpu(bytes, float64(w)), Down: 1.25 * bytes, Last: []time.Duration{1, 2},
			})
		}
		if s.Alone > 0 {
			r.Alone = append(r.Alone, Alone{
				Series: s, Changes: 1, CPU: cpu(bytes, 0), Live: 2 * bytes, EtcdCPU: 0.001, DB: 1.1 * bytes, Raft: bytes,
				Fsync: time.Millisecond, Took: []time.Duration{4 * time.Millisecond},
			})
			r.Returns = append(r.Returns, Return{Series: s, Watchers: 100, Down: bytes, Up: 100, CPU: 0.001})
		}
	}
	return r
}

func linear(bytes, watchers float64) float64 {
	return 0.002 + 2e-8*bytes + watchers*(3e-5+1e-9*bytes)
}

func pageOf(t *testing.T, r *Result) string {
	t.Helper()
	var text strings.Builder
	if err := r.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestThePageHasWhatTheFiguresSay(t *testing.T) {
	text := pageOf(t, madeUp(linear))
	for _, want := range []string{
		"= 2.00 ms + 20.0 µs · kB + 30.0 µs · watchers + 1.00 µs · watchers · kB.",                                     // the formula
		"| CPU a change, 1.00 MB | 22.0 ms ± 0 ns | 1.03 ms ± 0 ns | 1,000 | 1.05 s ± 0 ns | 1.05 s | ",                // the line
		"| a size in between | 200 kB | 300 | 75.0 ms ± 0 ns | 75.0 ms | ",                                             // 6 ms + 300 · 0.23 ms
		"| memory, a connection each | 100 MB ± 0 B | 80.0 kB ± 0 B | 1,000 | 180 MB ± 0 B | 180 MB | ",                //
		"| 1.00 MB | 100,000 | 103 s ± 0 ns | 0.0097 | 125 GB | 8.10 GB ± 0 B |",                                       // carried farther
		"| 1.00 MB | 2.00 MB | 200 MB | 200 MB | 1.60 GB |",                                                            // 100, 100 and 800 events
		"| 1.00 MB | 1.10 MB | 3.3 | 13 | 1.00 MB | 5.00 GB | 1.00 ms |",                                               // 2 GiB / 660 MB
		"| 1,000 B | 4.00 ms | 4.00 ms | 1.00 ms | 250 |",                                                              // 1 / 4 ms
		"got 16,000\ntransactions a second acknowledged, in 500 requests",                                              //
		"| bookmarks and pings, measured over 1m0s | 60 | 12.0 kB | 3,000 B | - |",                                     //
		"| watching anew, 32.0 kB | 8 | 256 kB | 800 B | 8.00 ms |",                                                    //
		"| sent by the API server | 2.08 MB/s (17 Mbit/s) | 125 MB/s (1,000 Mbit/s) |",                                 // 250 kB · 500
		"| its CPU, of one core | 0.20 % ± 0",                                                                          // 121 ms
		"| etcd's history, at most | 2.20 MB | 132 MB |",                                                               //
		"| 1,000 B: 10 keys x 100 B | 1,250 | 25.0 % | 1,250 | 1,250 | 1.25 MB |",                                      //
		"| 200 kB: 200 keys x 1,000 B | 250,000 | 25.0 % | - | - | 250 MB |",                                           // not measured
		"| protobuf, shared connections | 32.0 kB | 100 | 8.84 ms | 1 ns |\n| JSON | 32.0 kB | 100 | 8.84 ms | 1 ns |", //
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	if strings.Contains(text, "outside the band") || strings.Contains(text, "quick run") {
		t.Error("what follows the model is called an outlier, or a whole run quick")
	}
}

func TestAServerThatFollowsNoLineShows(t *testing.T) {
	r := madeUp(func(bytes, watchers float64) float64 {
		return linear(bytes, watchers) + 1e-6*watchers*watchers
	})
	m, err := r.models()
	if err != nil {
		t.Fatal(err)
	}
	off := m.cpu[0].trial.Error()
	if text := pageOf(t, r); off > -0.5 || strings.Contains(text, "is up to 0") || !strings.Contains(text, fmt.Sprintf("| %+.0f %%", 100*off)) {
		t.Errorf("a square of the watchers, predicted %.2f off, does not show as a large error:\n%s", off, text)
	}
}

// Noise can fit a line that begins below 0. It is drawn from where it is above, as a
// run of minutes must not end in an error over it.
func TestALineThatBeginsBelowZeroIsDrawn(t *testing.T) {
	r := madeUp(linear)
	m, err := r.models()
	if err != nil {
		t.Fatal(err)
	}
	m.cpu[0].model, err = model.Fit([]model.Sample{
		{Terms: []float64{1, 2}, Y: 0.001}, {Terms: []float64{1, 3}, Y: 0.003}, {Terms: []float64{1, 4}, Y: 0.005},
	})
	if err != nil {
		t.Fatal(err)
	}
	if y, _ := m.cpu[0].model.At(1, 1); y >= 0 {
		t.Fatalf("the line is %v at 1", y)
	}
	for file, picture := range m.charts() {
		if err := chart.WriteSVG(filepath.Join(t.TempDir(), file), picture); err != nil {
			t.Error(err)
		}
	}
}

// As the watch cache does by its source: a hundred, doubled while full of fresh events.
func TestTheHistoryIsThatOfTheWatchCache(t *testing.T) {
	for _, test := range []struct{ rate, want float64 }{
		{0.01, 100}, {1, 100}, {1.4, 200}, {10, 800}, {1000, 102_400}, {100_000, 102_400},
	} {
		if got := events(test.rate); got != test.want {
			t.Errorf("%v changes a second: %v events, want %v", test.rate, got, test.want)
		}
	}
}

func TestARowSendsABoundedAmount(t *testing.T) {
	for _, p := range []plan{full(), quick()} {
		for _, s := range p.series {
			for _, w := range s.Watchers {
				n := p.changes(s, w)
				if sent := n * s.Bytes() * w; n < p.least || n > p.most || sent > 2_000_000_000 {
					t.Errorf("%s, %d watchers: %d changes are %d bytes", s, w, n, sent)
				}
				if w > maxCrowd/2 {
					t.Errorf("%d watchers are too many to note what they see", w)
				}
			}
		}
	}
}

func TestMetricsWithLabelsAreLeftOut(t *testing.T) {
	m := parseMetrics([]byte("# HELP a b\n# TYPE a counter\na 1.5e+03\nb{c=\"d\"} 7\ne{f=\"g h\"} 8\nc NaNs\nd 2\n"))
	if len(m) != 2 || m["a"] != 1500 || m["d"] != 2 {
		t.Errorf("metrics: %v", m)
	}
}
