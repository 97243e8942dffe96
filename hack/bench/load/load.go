// Package load makes contention: many processes, each with connections of its
// own, and many writers in each, all incrementing one counter and a key of
// their own in one map, each as fast as it can.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	checks "github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// A Plan says what the load is.
type Plan struct {
	Strategy   *Strategy
	Stores     int           // processes, or what stands for one here
	Writers    int           // in each process
	For        time.Duration // how long writers begin operations
	Operations int           // how many each writer does, if not 0; then For has no effect
	Every      time.Duration // how long from the beginning of one operation of a writer to the next; 0: at once
}

const (
	mapName = "contention"
	counter = "n" // the key that all increment
)

// A writer is one of many. Only its own goroutine touches it.
type writer struct {
	own       string          // its key
	latencies []time.Duration // of the operations that were acknowledged
	inTime    int             // of them, before the time was over
	failed    int
	failure   error // the last
}

// Run runs a plan on a map of its own, and makes sure that the counter agrees
// with what was acknowledged: throughput that loses updates is none.
func Run(ctx context.Context, r *rig.Rig, plan Plan) (*Result, error) {
	if err := r.Create(ctx, mapName, 0, 0); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	processes := make([]*process, plan.Stores)
	before := make([]rig.Counts, plan.Stores)
	for i := range processes {
		p, err := plan.Strategy.open(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		defer p.close()
		processes[i], before[i] = p, p.Counts()
	}
	began := time.Now()
	result := newResult(plan, plan.write(ctx, processes))
	result.Took = time.Since(began)
	for i, p := range processes {
		counts := p.Counts().Since(before[i])
		result.Counts = result.Plus(counts)
		result.CommitsByStore = append(result.CommitsByStore, int(counts.PUTs-counts.Conflicts))
	}
	return result, verify(ctx, r, processes[0].Client, result)
}

// write lets the writers write, and returns when all have ended.
func (p Plan) write(ctx context.Context, processes []*process) []*writer {
	var writers []*writer
	var group sync.WaitGroup
	start := make(chan struct{})
	var begun time.Time // set before start is closed
	for i, process := range processes {
		for j := range p.Writers {
			w := &writer{own: fmt.Sprintf("w-%d-%d", i, j)}
			writers = append(writers, w)
			group.Go(func() {
				<-start
				w.run(ctx, process, p, begun)
			})
		}
	}
	begun = time.Now()
	close(start)
	group.Wait()
	return writers
}

func (w *writer) run(ctx context.Context, process *process, p Plan, begun time.Time) {
	next := begun.Add(rand.N(p.Every + 1)) // so that writers come one after the other by chance
	for i := 0; ctx.Err() == nil; i++ {
		if p.Every > 0 {
			time.Sleep(time.Until(next))
			next = next.Add(p.Every)
		}
		asked := time.Now()
		if p.Operations > 0 && i == p.Operations || p.Operations == 0 && asked.Sub(begun) >= p.For {
			return
		}
		if err := process.update(ctx, func(get func(string) string, set func(string, string)) {
			for _, key := range []string{counter, w.own} {
				n, _ := strconv.Atoi(get(key)) // absent: 0
				set(key, strconv.Itoa(n+1))
			}
		}); err != nil {
			w.failed++
			w.failure = err
			continue
		}
		now := time.Now()
		w.latencies = append(w.latencies, now.Sub(asked))
		if now.Sub(begun) <= p.For {
			w.inTime++
		}
	}
}

// verify compares the counter with what was acknowledged. What failed may have been
// applied all the same.
func verify(ctx context.Context, r *rig.Rig, client *rig.Client, result *Result) error {
	object, err := client.CoreV1().ConfigMaps(r.Namespace).Get(ctx, mapName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	n, _ := strconv.ParseInt(object.Data[counter], 10, 64) // absent: 0
	var tally checks.Tally
	tally.Acknowledged.Store(int64(result.Acknowledged))
	tally.Unknown.Store(int64(result.Failed))
	return tally.Check(n)
}
