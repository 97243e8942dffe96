package scale

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// metrics are those without labels, by name.
type metrics map[string]float64

// cpu is how long the process has been on a processor, in seconds. The kernel counts
// it in hundredths.
func (m metrics) cpu() float64 { return m["process_cpu_seconds_total"] }

// live is what is in use of heap and stacks, if the garbage has just been collected.
func (m metrics) live() float64 {
	return m["go_memstats_heap_alloc_bytes"] + m["go_memstats_stack_inuse_bytes"]
}

func (m metrics) resident() float64 { return m["process_resident_memory_bytes"] }

// needed are the metrics without which there is nothing to report.
var needed = []string{
	"process_cpu_seconds_total", "process_resident_memory_bytes",
	"go_memstats_heap_alloc_bytes", "go_memstats_stack_inuse_bytes",
}

// etcdNeeded are those of etcd beside them.
var etcdNeeded = []string{
	"etcd_mvcc_db_total_size_in_use_in_bytes", "etcd_disk_wal_fsync_duration_seconds_sum",
	"etcd_disk_wal_fsync_duration_seconds_count",
}

// A server is the API server or etcd, seen through its own metrics.
type server struct {
	client *http.Client
	url    string
	needed []string
	scrape float64 // seconds of CPU that reading the metrics takes
}

func newServers(ctx context.Context, r *rig.Rig) (apiServer, etcd *server, err error) {
	config := r.Plane.Config()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, err
	}
	apiServer = &server{client: client, url: config.Host, needed: needed}
	etcd = &server{client: &http.Client{}, url: r.Plane.EtcdURL(), needed: slices.Concat(needed, etcdNeeded)}
	for _, s := range []*server{apiServer, etcd} {
		if err := s.weigh(ctx); err != nil {
			return nil, nil, err
		}
	}
	return apiServer, etcd, nil
}

// weigh finds out what reading the metrics costs, which is then taken off.
func (s *server) weigh(ctx context.Context) error {
	const times = 8
	var first, last metrics
	for i := range times + 1 {
		m, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		if i == 0 {
			first = m
		}
		last = m
	}
	s.scrape = (last.cpu() - first.cpu()) / times
	return nil
}

// metrics reads the metrics.
func (s *server) metrics(ctx context.Context) (metrics, error) {
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	m := parseMetrics(body)
	for _, name := range s.needed {
		if _, ok := m[name]; !ok {
			return nil, fmt.Errorf("scale: the server has no metric %s", name)
		}
	}
	return m, nil
}

// collected reads them right after a collection of garbage, which the server's profiler
// makes on demand. What pools hold is gone after the second.
func (s *server) collected(ctx context.Context) (metrics, error) {
	for range 2 {
		if _, err := s.get(ctx, "/debug/pprof/heap?gc=1"); err != nil {
			return nil, err
		}
	}
	return s.metrics(ctx)
}

// idle returns the CPU seconds that the server takes each second while nobody asks it
// for anything. After a start it first waits until that no longer falls.
func (s *server) idle(ctx context.Context, window time.Duration) (float64, error) {
	var shares []float64
	for range 8 {
		before, err := s.metrics(ctx)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		select {
		case <-time.After(window):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		after, err := s.metrics(ctx)
		if err != nil {
			return 0, err
		}
		share := max(after.cpu()-before.cpu()-s.scrape, 0) / time.Since(began).Seconds()
		if shares = append(shares, share); len(shares) > 1 && share >= 0.7*shares[len(shares)-2] {
			break
		}
	}
	last := shares[len(shares)-2:]
	return (last[0] + last[1]) / 2, nil
}

func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scale: %s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// parseMetrics reads the lines of Prometheus' text format that have no labels.
func parseMetrics(text []byte) metrics {
	m := make(metrics)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, number, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(number, 64); ok && err == nil && !strings.ContainsAny(name, "#{") {
			m[name] = value
		}
	}
	return m
}
