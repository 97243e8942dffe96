package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	plane     *kube.ControlPlane
	outside   *rig.Client
	namespace string
	started   time.Time
	stores    []*mapstore.Store

	done    <-chan struct{} // closed when the load is to end
	stop    context.CancelFunc
	workers *errgroup.Group
	rest    sync.RWMutex // held for reading by each operation, and for writing while the load rests

	increments                              rig.Tally
	operations, outages, deletions, changes atomic.Int64
}

// startLoad lets a load begin, which ends with ctx, by close or end, or when it
// fails. Between two outages there is so much time; 0: there are none.
func startLoad(ctx context.Context, plane *kube.ControlPlane, outage time.Duration) (_ *load, err error) {
	l := &load{plane: plane, started: time.Now()}
	if l.namespace, err = plane.Namespace(ctx, "soak"); err != nil {
		return nil, err
	}
	if l.outside, err = rig.NewClient(plane.Config(), nil); err != nil {
		return nil, err
	}
	// Open takes the cluster from the environment, as in a program.
	if err := os.Setenv("MAPSTORE_CLUSTER_CONFIG_PATH", plane.Kubeconfig()); err != nil {
		return nil, err
	}
	ctx, l.stop = context.WithCancel(ctx)
	l.workers, ctx = errgroup.WithContext(ctx)
	l.done = ctx.Done()
	for range storesEach {
		counting, err := l.openStore(ctx, counted)
		if err != nil {
			l.close()
			return nil, err
		}
		churning, err := l.openStore(ctx, churned)
		if err != nil {
			l.close()
			return nil, err
		}
		for range 2 {
			l.repeat(ctx, 0, func(ctx context.Context, _ int) error { return l.increment(ctx, counting) })
		}
		l.repeat(ctx, 10*time.Millisecond, func(ctx context.Context, _ int) error { return read(ctx, counting) })
		l.repeat(ctx, time.Millisecond, func(ctx context.Context, n int) error { return churn(ctx, churning, n) })
		l.repeat(ctx, 0, func(ctx context.Context, _ int) error { return l.subscribe(ctx, churning) })
	}
	l.repeat(ctx, 400*time.Millisecond, l.open)
	l.repeat(ctx, 300*time.Millisecond, func(ctx context.Context, _ int) error { return l.delete(ctx, outage > 0) })
	if outage > 0 {
		l.repeat(ctx, outage, l.breakDown)
	}
	return l, nil
}

func (l *load) openStore(ctx context.Context, name string) (*mapstore.Store, error) {
	store, err := mapstore.Open(ctx, name, mapstore.Options{Namespace: l.namespace})
	if err == nil {
		l.stores = append(l.stores, store)
	}
	return store, err
}

// close ends the load and its stores.
func (l *load) close() {
	l.stop()
	_ = l.workers.Wait() // who wants to know has called end
	for _, store := range l.stores {
		store.Close()
	}
	l.outside.Cut()
}

func (l *load) running() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// repeat does one operation after the other, with a pause between two.
func (l *load) repeat(ctx context.Context, pause time.Duration, operation func(ctx context.Context, n int) error) {
	l.workers.Go(func() error {
		for n := 0; rig.Pause(ctx, pause) == nil; n++ {
			if err := l.one(ctx, n, operation); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *load) one(ctx context.Context, n int, operation func(context.Context, int) error) error {
	l.rest.RLock()
	defer l.rest.RUnlock()
	// Once begun it may end, so that no outcome is unknown for that reason.
	if err := operation(context.WithoutCancel(ctx), n); err != nil {
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
	for _, store := range l.stores {
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
	if err := l.workers.Wait(); err != nil {
		return err
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

func (l *load) increment(ctx context.Context, store *mapstore.Store) error {
	_, err := store.Update(ctx, rig.Increment("n"))
	l.increments.Count(err)
	return unlessOutage(err)
}

// unlessOutage returns nil in place of what an outage may end a write in.
func unlessOutage(err error) error {
	if errors.Is(err, mapstore.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// read asks the server; that it fails in an outage is as it should be.
func read(ctx context.Context, store *mapstore.Store) error {
	if s, err := store.Sync(ctx); err == nil {
		if _, err := store.WaitFor(ctx, s.Revision()); err != nil {
			return fmt.Errorf("WaitFor: %w", err)
		}
	}
	return nil
}

// churn writes, over and over the same few keys.
func churn(ctx context.Context, store *mapstore.Store, n int) error {
	key := "k" + strconv.Itoa(n%20)
	if n%4 == 0 {
		return unlessOutage(store.Delete(ctx, key))
	}
	return unlessOutage(store.Set(ctx, key, fmt.Sprintf("%0100d", n)))
}

// subscribe follows the map by each of the three ways, until something changes.
func (l *load) subscribe(ctx context.Context, store *mapstore.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // in an outage nothing changes
	defer cancel()
	defer store.OnChange(func(mapstore.Change) { l.changes.Add(1) }, mapstore.Prefix("k1")).Stop()
	for range store.Changes(ctx, mapstore.Keys("k1", "k2")) {
		l.changes.Add(1)
		break
	}
	now := store.Snapshot().Revision()
	_, err := store.WaitUntil(ctx, func(s *mapstore.Snapshot) bool { return s.Revision() != now })
	return unlessOutage(err)
}

// open opens a store, uses it and closes it.
func (l *load) open(ctx context.Context, _ int) error {
	ctx, cancel := context.WithTimeout(ctx, rig.Patience)
	defer cancel()
	store, err := mapstore.Open(ctx, counted, mapstore.Options{Namespace: l.namespace})
	if err != nil {
		return fmt.Errorf("opening a store: %w", err)
	}
	defer store.Close()
	store.OnChange(func(mapstore.Change) { l.changes.Add(1) }) // Close ends it
	return l.increment(ctx, store)
}

// delete deletes the churned map, under those who write it. In an outage it fails
// as it should.
func (l *load) delete(ctx context.Context, mayFail bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := l.outside.CoreV1().ConfigMaps(l.namespace).Delete(ctx, churned, metav1.DeleteOptions{})
	if err == nil {
		l.deletions.Add(1)
	} else if !apierrors.IsNotFound(err) && !mayFail {
		return fmt.Errorf("deleting: %w", err)
	}
	return nil
}

// breakDown kills the API server for a while.
func (l *load) breakDown(ctx context.Context, _ int) error {
	if err := l.plane.APIServer.Kill(); err != nil {
		return err
	}
	l.outages.Add(1)
	time.Sleep(3 * time.Second) // the length of the outage
	return l.plane.APIServer.Restart(ctx)
}
