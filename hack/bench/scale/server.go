package scale

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A server is the API server, seen through its own metrics.
type server struct {
	client *rig.Client
	scrape float64 // seconds of CPU that reading the metrics takes
	share  float64 // of a core, that it takes for itself while nobody asks it for anything
}

// Names of metrics.
const (
	cpuSeconds = "process_cpu_seconds_total" // counted by the kernel in ticks
	heapInUse  = "go_memstats_heap_alloc_bytes"
	stackInUse = "go_memstats_stack_inuse_bytes"
)

const tick = 0.01 // seconds

// newServer finds out what is not to be counted.
func newServer(ctx context.Context, client *rig.Client, window time.Duration) (*server, error) {
	s := &server{client: client}
	first, err := s.cpu(ctx)
	if err != nil {
		return nil, err
	}
	const times = 8
	for range times {
		last, err := s.cpu(ctx)
		if err != nil {
			return nil, err
		}
		s.scrape = (last - first) / times
	}
	// After a start it is busy for some seconds.
	for range times {
		before := s.share
		if s.share, err = s.spent(ctx, func() error { return pause(ctx, window) }); err != nil {
			return nil, err
		}
		if s.share /= window.Seconds(); s.share >= 0.7*before && before > 0 {
			break
		}
	}
	return s, nil
}

// spent returns the seconds of CPU that the server spends while fn runs.
func (s *server) spent(ctx context.Context, fn func() error) (float64, error) {
	before, err := s.cpu(ctx)
	if err != nil {
		return 0, err
	}
	if err := fn(); err != nil {
		return 0, err
	}
	after, err := s.cpu(ctx)
	return after - before - s.scrape, err
}

func (s *server) cpu(ctx context.Context) (float64, error) {
	m, err := s.metrics(ctx)
	return m[cpuSeconds], err
}

// live returns what is in use of heap and stacks, right after a collection of garbage.
// What pools hold is gone after the second.
func (s *server) live(ctx context.Context) (float64, error) {
	for range 2 {
		if _, err := s.client.CoreV1().RESTClient().Get().AbsPath("/debug/pprof/heap").Param("gc", "1").DoRaw(ctx); err != nil {
			return 0, err
		}
	}
	m, err := s.metrics(ctx)
	return m[heapInUse] + m[stackInUse], err
}

func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	body, err := s.client.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	m := parseMetrics(body)
	for _, name := range []string{cpuSeconds, heapInUse, stackInUse} {
		if _, ok := m[name]; !ok {
			return nil, fmt.Errorf("scale: the server has no metric %s", name)
		}
	}
	return m, nil
}

// parseMetrics reads the lines of Prometheus' text format that have no labels.
func parseMetrics(text []byte) map[string]float64 {
	m := make(map[string]float64)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, number, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(number, 64); ok && err == nil && !strings.ContainsAny(name, "#{") {
			m[name] = value
		}
	}
	return m
}

// pause waits while the server works for itself.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
