package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// course returns n samples, one a second and a hundred operations, of a process
// at rest that change is applied to.
func course(n int, change func(i int, s *sample)) []sample {
	samples := make([]sample, n)
	for i := range samples {
		samples[i] = sample{
			at: time.Duration(i+1) * time.Second, operations: int64(i+1) * 100,
			heap: 20 << 20, goroutines: 47, files: 19,
		}
		change(i, &samples[i])
	}
	return samples
}

func TestTheVerdictOnCourses(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, row := range map[string]struct {
		change func(i int, s *sample)
		want   []string // what is named
	}{
		"level":        {func(int, *sample) {}, nil},
		"a noisy heap": {func(_ int, s *sample) { s.heap += random.Int64N(8 << 20) }, nil},
		"single outliers": {func(i int, s *sample) {
			if i%9 == 8 {
				s.goroutines, s.heap, s.files = 500, 90<<20, 300
			}
		}, nil},
		"a warm-up that fills pools":  {func(i int, s *sample) { s.heap += int64(min(i, 20)) << 20 }, nil},
		"a few connections made anew": {func(i int, s *sample) { s.files += int64(i / 50) }, nil},
		"falling":                     {func(i int, s *sample) { s.heap -= int64(i) << 16; s.goroutines -= int64(i / 4) }, nil},
		"no /proc":                    {func(_ int, s *sample) { s.files = 0 }, nil},

		"a goroutine an operation":                {func(_ int, s *sample) { s.goroutines += s.operations }, []string{"goroutines"}},
		"a goroutine every 500 operations":        {func(_ int, s *sample) { s.goroutines += s.operations / 500 }, []string{"goroutines"}},
		"a connection every 1000 operations":      {func(_ int, s *sample) { s.files += s.operations / 1000 }, []string{"open files"}},
		"1 KiB an operation below noise of 2 MiB": {func(_ int, s *sample) { s.heap += s.operations<<10 + random.Int64N(2<<20) }, []string{"bytes of memory"}},
		"a table that doubles":                    {func(i int, s *sample) { s.heap += 1 << (14 + i/12) }, []string{"bytes of memory"}},
		"a load that stops":                       {func(_ int, s *sample) { s.operations = min(s.operations, 2000) }, []string{"the load has stopped"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := judge(plan{warmUp: 20 * time.Second}.settled(course(120, row.change)))
			if len(row.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatalf("nothing was noticed, want %v", row.want)
			}
			if lines := strings.Split(err.Error(), "\n"); len(lines) != len(row.want) {
				t.Errorf("%d reasons, want %v:\n%v", len(lines), row.want, err)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

func TestTooFewSamplesAreNoVerdict(t *testing.T) {
	if err := judge(course(minSamples-1, func(int, *sample) {})); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("judge: %v", err)
	}
}
