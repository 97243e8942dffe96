package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/bench/stats"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// soakFor makes a soak of the test: see make soak, which runs it alone.
var soakFor = flag.Duration("soak", 0, "how long TestNothingGrows lasts, with an outage each minute; 0: a second, without any")

// Promise 10: between two operations stores hold no more at the end than at the beginning,
// whatever they are used for.
func TestNothingGrows(t *testing.T) {
	s := newSite(t)
	t.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", s.kubeconfig(s.namespace))
	length, warmUp, interval := time.Second, 500*time.Millisecond, 50*time.Millisecond
	if *soakFor > 0 {
		// An HTTP/2 connection, closed or not, is kept alive by a timer of 30 s.
		length, warmUp, interval = *soakFor, 45*time.Second, 5*time.Second
	}
	stores := []*mapstore.Store{s.store(nil), s.store(nil)}
	var rest sync.RWMutex // held for reading by each operation, and for writing while the load rests
	var operations atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	load, ctx := errgroup.WithContext(ctx)
	repeat := func(pause time.Duration, operation func(context.Context, *mapstore.Store, int) error) {
		for _, store := range stores {
			load.Go(func() error {
				for n := 0; rig.Pause(ctx, pause) == nil; n++ {
					rest.RLock()
					err := operation(context.WithoutCancel(ctx), store, n)
					rest.RUnlock()
					if err != nil && !errors.Is(err, mapstore.ErrUnknownOutcome) && !errors.Is(err, context.DeadlineExceeded) {
						return err // that no outage explains
					}
					operations.Add(1)
				}
				return nil
			})
		}
	}
	repeat(0, increment)
	repeat(time.Millisecond, churn)
	repeat(10*time.Millisecond, readBack)
	repeat(0, followForAMoment)
	repeat(400*time.Millisecond, func(ctx context.Context, _ *mapstore.Store, n int) error { return s.openAndUse(ctx, n) })
	repeat(300*time.Millisecond, func(ctx context.Context, _ *mapstore.Store, _ int) error {
		_ = s.maps().Delete(ctx, mapName, metav1.DeleteOptions{}) // the map, or the server, may be away
		return nil
	})
	if *soakFor > 0 {
		load.Go(func() error { return outages(ctx) })
	}

	var settled []sample
	for began := time.Now(); ctx.Err() == nil && (time.Since(began) < length || len(settled) < minSamples); {
		_ = rig.Pause(ctx, interval)
		rest.Lock()
		for _, store := range stores {
			s.until("fresh", func() bool { return store.Status().Err == nil })
		}
		time.Sleep(50 * time.Millisecond) // so that what ends by itself has ended
		now := take(operations.Load())
		rest.Unlock()
		if time.Since(began) > warmUp { // in which caches and pools fill
			settled = append(settled, now)
		}
		t.Logf("%8v %+v", time.Since(began).Round(100*time.Millisecond), now)
	}
	stop()
	if err := errors.Join(load.Wait(), judge(settled)); err != nil {
		t.Error(err)
	}
}

func increment(ctx context.Context, store *mapstore.Store, _ int) error {
	_, err := store.Update(ctx, rig.Increment("n"))
	return err
}

// churn writes, over and over the same few keys.
func churn(ctx context.Context, store *mapstore.Store, n int) error {
	key := "k" + strconv.Itoa(n%20)
	if n%4 == 0 {
		return store.Delete(ctx, key)
	}
	return store.Set(ctx, key, fmt.Sprintf("%0100d", n))
}

func readBack(ctx context.Context, store *mapstore.Store, _ int) error {
	now, err := store.Sync(ctx)
	if err != nil {
		return nil //nolint:nilerr // in an outage it is as it should be
	}
	_, err = store.WaitFor(ctx, now.Revision())
	return err
}

// followForAMoment follows the map by each of the three ways, until something changes.
func followForAMoment(ctx context.Context, store *mapstore.Store, _ int) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // in an outage nothing changes
	defer cancel()
	defer store.OnChange(func(mapstore.Change) {}, mapstore.Prefix("k1")).Stop()
	for range store.Changes(ctx, mapstore.Keys("k1", "k2")) {
		break
	}
	now := store.Snapshot().Revision()
	_, err := store.WaitUntil(ctx, func(s *mapstore.Snapshot) bool { return s.Revision() != now })
	return err
}

func (s *site) openAndUse(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, rig.Patience)
	defer cancel()
	store, err := mapstore.Open(ctx, mapName, mapstore.Options{Namespace: s.namespace})
	if err != nil {
		return err
	}
	defer store.Close()
	store.OnChange(func(mapstore.Change) {}) // Close ends it
	return increment(ctx, store, n)
}

// outages kills the API server each minute, for three seconds.
func outages(ctx context.Context) error {
	for rig.Pause(ctx, time.Minute) == nil {
		if err := plane.APIServer.Kill(); err != nil {
			return err
		}
		time.Sleep(3 * time.Second) // the outage
		if err := plane.APIServer.Restart(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// A sample is what this process holds while its load rests.
type sample struct {
	operations int64 // so far
	heap       int64 // bytes that are reachable
	goroutines int64
	files      int64 // open descriptors, those of connections included; 0 where there is no /proc
}

func take(operations int64) sample {
	runtime.GC() // it only makes reachable by finalizers what the second one frees
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	open, _ := os.ReadDir("/proc/self/fd")
	return sample{operations, int64(memory.HeapAlloc), int64(runtime.NumGoroutine()), int64(len(open))} //nolint:gosec // below 2^63
}

// figures are what must not grow, and by how much they may differ all the same: by a
// connection made anew after an outage, or by memory that pools take when they first need it.
// A leak of one item an operation exceeds any of these within seconds to minutes.
var figures = []struct {
	name      string
	of        func(sample) int64
	tolerance int64
}{
	{"bytes of memory", func(s sample) int64 { return s.heap }, 512 << 10},
	{"goroutines", func(s sample) int64 { return s.goroutines }, 10},
	{"open files", func(s sample) int64 { return s.files }, 5},
}

// minSamples is how many a verdict takes: four in each third.
const minSamples = 12

// judge returns an error that names each figure that grows. It compares the median of the
// first third of the samples with that of the last, so that single outliers do not matter.
// Noise is how far a sample mostly is from the one before.
func judge(samples []sample) error {
	if len(samples) < minSamples {
		return fmt.Errorf("%d samples are too few for a verdict: at least %d", len(samples), minSamples)
	}
	growth := func(of func(sample) int64) (growth, noise int64) {
		values, steps := make([]int64, len(samples)), make([]int64, len(samples)-1)
		for i, s := range samples {
			if values[i] = of(s); i > 0 {
				steps[i-1] = max(values[i]-values[i-1], values[i-1]-values[i])
			}
		}
		third := len(values) / 3
		return stats.Median(values[len(values)-third:]) - stats.Median(values[:third]), stats.Median(steps)
	}
	operations, _ := growth(func(s sample) int64 { return s.operations })
	if operations <= 0 {
		return errors.New("the load has stopped")
	}
	var grown []error
	for _, f := range figures {
		if more, noise := growth(f.of); more > max(f.tolerance, 2*noise) {
			grown = append(grown, fmt.Errorf("%s grow: by %d over %d operations", f.name, more, operations))
		}
	}
	return errors.Join(grown...)
}

// The samples are of a process that leaks on purpose, and some are altered.
func TestWhatGrowsIsFound(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var goroutines sync.WaitGroup
	defer goroutines.Wait()
	end := make(chan struct{})
	defer close(end)
	var samples []sample
	var memory [][]byte
	for n := range 3 * minSamples {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		goroutines.Go(func() { <-end })
		memory = append(memory, make([]byte, 64<<10))
		samples = append(samples, take(int64(n)))
	}
	runtime.KeepAlive(memory)
	for name, row := range map[string]struct {
		alter func(n int64, s *sample)
		want  []string
	}{
		"all of it":       {func(int64, *sample) {}, []string{"bytes of memory", "goroutines", "open files"}},
		"nothing":         {func(n int64, s *sample) { *s = sample{operations: n} }, nil},
		"single outliers": {func(n int64, s *sample) { *s = sample{operations: n, goroutines: n % 9 / 8 * 500} }, nil},
		"noise":           {func(n int64, s *sample) { *s = sample{operations: n, heap: n * 7 % 5 << 20} }, nil},
		"below noise":     {func(n int64, s *sample) { *s = sample{operations: n, heap: n<<18 + n*7%5<<10} }, []string{"bytes of memory"}},
		"no operations":   {func(_ int64, s *sample) { s.operations = 7 }, []string{"the load has stopped"}},
	} {
		altered := make([]sample, len(samples))
		for n := range samples {
			altered[n] = samples[n]
			row.alter(int64(n), &altered[n])
		}
		said := fmt.Sprint(judge(altered))
		for _, want := range row.want {
			if !strings.Contains(said, want) && (want != "open files" || samples[0].files > 0) {
				t.Errorf("%s: no %q in: %s", name, want, said)
			}
		}
		if row.want == nil && said != "<nil>" {
			t.Errorf("%s: %s", name, said)
		}
	}
	if judge(samples[1:minSamples]) == nil {
		t.Error("a verdict of too few samples")
	}
}
