package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	counted = "counted" // this map counts increments; nobody deletes it
	churned = "churned" // this one is deleted now and then

	storesEach = 2 // for each map, and each with a connection of its own
)

// A load is what uses the stores. Each of its operations is short and leaves
// nothing behind, so that between two there is a moment of rest.
type load struct {
	plan
	plane     *kube.ControlPlane
	outside   kubernetes.Interface
	namespace string
	started   time.Time
	counting  []*mapstore.Store
	churning  []*mapstore.Store

	rest    sync.RWMutex // held for reading by each operation, and for writing while the load rests
	workers sync.WaitGroup
	failed  atomic.Pointer[error]
	stop    context.CancelFunc
	done    <-chan struct{} // closed when the load is to end

	increments                              rig.Tally
	operations, outages, deletions, changes atomic.Int64
}

func newLoad(ctx context.Context, plane *kube.ControlPlane, p plan) (*load, error) {
	l := &load{plan: p, plane: plane, started: time.Now()}
	var err error
	if l.namespace, err = plane.Namespace(ctx, "soak"); err != nil {
		return nil, err
	}
	if l.outside, err = kubernetes.NewForConfig(plane.Config()); err != nil {
		return nil, err
	}
	// Open takes the cluster from the environment, as in a program.
	if err := os.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", plane.Kubeconfig()); err != nil {
		return nil, err
	}
	for range storesEach {
		for name, stores := range map[string]*[]*mapstore.Store{counted: &l.counting, churned: &l.churning} {
			store, err := mapstore.Open(ctx, name, mapstore.Options{Namespace: l.namespace})
			if err != nil {
				l.close()
				return nil, err
			}
			*stores = append(*stores, store)
		}
	}
	return l, nil
}

// close ends the load, if it has begun, and its stores.
func (l *load) close() {
	if l.stop != nil {
		l.stop()
		l.workers.Wait()
	}
	for _, store := range append(l.counting, l.churning...) {
		store.Close()
	}
}

func (l *load) running() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// start lets the load begin, which ends with ctx, by stop, or when it fails.
func (l *load) start(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.done = ctx.Done()
	for i := range storesEach {
		for range 2 {
			l.repeat(ctx, 0, func(ctx context.Context) error { return l.increment(ctx, l.counting[i]) })
		}
		l.repeat(ctx, time.Millisecond, l.churn(l.churning[i]))
		l.repeat(ctx, 0, func(ctx context.Context) error { return l.subscribe(ctx, l.churning[i]) })
		l.repeat(ctx, 10*time.Millisecond, func(ctx context.Context) error { return l.sync(ctx, l.counting[i]) })
	}
	l.repeat(ctx, l.plan.open, l.open)
	l.repeat(ctx, l.deleted, l.delete)
	if l.outage > 0 {
		l.repeat(ctx, l.outage, l.breakDown)
	}
}

// repeat does one operation after the other, with a pause between two, until ctx
// ends or one fails.
func (l *load) repeat(ctx context.Context, pause time.Duration, operation func(context.Context) error) {
	l.workers.Go(func() {
		for rig.Pause(ctx, pause) == nil {
			if err := l.one(ctx, operation); err != nil {
				l.failed.CompareAndSwap(nil, &err)
				l.stop()
				return
			}
		}
	})
}

func (l *load) one(ctx context.Context, operation func(context.Context) error) error {
	l.rest.RLock()
	defer l.rest.RUnlock()
	// Once begun it may end, so that no outcome is unknown for that reason.
	if err := operation(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	l.operations.Add(1)
	return nil
}

// atRest lets measure run while no operation does, all stores are connected, and
// whatever ends by itself has had a moment to do so.
func (l *load) atRest(measure func(since time.Time, operations int64) sample) (sample, error) {
	l.rest.Lock()
	defer l.rest.Unlock()
	for _, store := range append(l.counting, l.churning...) {
		if err := rig.Until(context.Background(), rig.Patience, func() bool { return store.Status().Err == nil }); err != nil {
			return sample{}, fmt.Errorf("a store does not recover: %w", store.Status().Err)
		}
	}
	time.Sleep(50 * time.Millisecond) // the moment
	return measure(l.started, l.operations.Load()), nil
}

// end ends the load, and returns what is wrong with what it did.
func (l *load) end() error {
	l.stop()
	l.workers.Wait()
	if err := l.failed.Load(); err != nil {
		return *err
	}
	object, err := l.outside.CoreV1().ConfigMaps(l.namespace).Get(context.Background(), counted, metav1.GetOptions{})
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(object.Data["n"], 10, 64)
	if err != nil {
		return fmt.Errorf("the counter: %w", err)
	}
	return l.increments.Check(n)
}

func (l *load) String() string {
	return fmt.Sprintf("%d operations, %d changes; increments: %d acknowledged, %d unknown, %d not applied; %d outages, %d deletions",
		l.operations.Load(), l.changes.Load(), l.increments.Acknowledged.Load(), l.increments.Unknown.Load(), l.increments.Failed.Load(),
		l.outages.Load(), l.deletions.Load())
}
