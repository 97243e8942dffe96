package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	mapName    = "settings"
	outsideKey = "outside"
	maxBackoff = 2 * time.Second // the store's default
)

// A testbed is what one row runs on: a map in a namespace of its own, stores
// that share it, a load on them, and the checker's record of it all.
type testbed struct {
	row       *row
	settings  settings
	plane     *kube.ControlPlane
	namespace string
	admin     *rig.Client // takes no way that a fault is on
	run       *checker.Run
	outsider  *checker.Outsider
	members   []*member
	load      *load
	result    *result

	mu     sync.Mutex // protects all below
	rng    *rand.Rand
	marks  int
	closes []func()

	oldLedger    string // one of those that there have been
	certificates string // the folder of the stores' own, if they have some
}

const storesPerRow = 3

func newTestbed(ctx context.Context, plane *kube.ControlPlane, r *row, s settings, res *result) (*testbed, error) {
	name := fnv.New64a()
	name.Write([]byte(r.name))
	b := &testbed{row: r, settings: s, plane: plane, result: res, rng: rand.New(rand.NewPCG(s.seed, name.Sum64()))}
	if err := b.prepare(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *testbed) prepare(ctx context.Context) (err error) {
	if b.admin, err = rig.NewClient(b.plane.Config(), nil); err != nil {
		return err
	}
	b.onClose(b.admin.Cut)
	if b.namespace, err = b.plane.Namespace(ctx, "faults"); err != nil {
		return err
	}
	if err := b.record(ctx); err != nil {
		return err
	}
	for i := range storesPerRow {
		config := b.plane.Config()
		if b.row.split {
			config.Host = b.plane.ServerURL(i / (storesPerRow - 1))
		}
		if b.row.user != nil {
			if config, err = b.row.user(ctx, b); err != nil {
				return err
			}
		}
		m, err := b.newMember(ctx, config)
		if err != nil {
			return err
		}
		b.members = append(b.members, m)
	}
	pace := 25 * time.Millisecond
	if b.settings.short { // in which several rows share the machine
		pace = 40 * time.Millisecond
	}
	b.startLoad(pace)
	return nil
}

// record begins a new record.
func (b *testbed) record(ctx context.Context) (err error) {
	if b.run, err = checker.Start(ctx, b.plane.EtcdURL(), b.namespace, mapName); err != nil {
		return err
	}
	b.onClose(b.run.Close)
	b.outsider = b.run.Outsider("kubectl", b.admin)
	for _, m := range b.members {
		m.client = b.run.Client(m.name, m.store)
	}
	return nil
}

// expectNoticed waits until each affected store says that it is cut off.
func (b *testbed) expectNoticed(ctx context.Context, begin time.Time, bound time.Duration) error {
	for _, m := range b.affected() {
		limit := 3 * time.Minute
		if bound > 0 {
			limit = time.Until(begin.Add(b.settings.bound(bound)))
		}
		if rig.Until(ctx, limit, func() bool { return m.store.Status().Err != nil }) != nil {
			return fmt.Errorf("store %s has not noticed within %v: the server's last sign came %v ago", m.name, limit, time.Since(m.store.Status().LastContact))
		}
	}
	b.result.noticed = max(b.result.noticed, time.Since(begin))
	return nil
}

// expectFresh writes by an outside client, and waits until each store has what
// was written and says that it is not stale.
func (b *testbed) expectFresh(ctx context.Context, bound time.Duration) error {
	begin, value, err := b.mark(ctx)
	if err != nil {
		return err
	}
	bound = b.settings.bound(bound)
	// Longer than the bound, so that the result tells by how much it was missed.
	ctx, cancel := context.WithTimeout(ctx, bound+15*time.Second)
	defer cancel()
	for _, m := range b.members {
		_, err := m.store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
			got, _ := now.Get(outsideKey)
			return got == value
		})
		if err != nil {
			return fmt.Errorf("store %s is not fresh after %v: %w", m.name, time.Since(begin), errors.Join(err, m.store.Status().Err))
		}
		if err := rig.Until(ctx, time.Hour, func() bool { return m.store.Status().Err == nil }); err != nil {
			return fmt.Errorf("store %s: %w", m.name, m.store.Status().Err)
		}
	}
	fresh := time.Since(begin)
	b.result.fresh = max(b.result.fresh, fresh)
	if fresh > bound {
		return fmt.Errorf("fresh only after %v, not within %v", fresh, bound)
	}
	return nil
}

// mark writes a new value by an outside client. It returns when it began the
// attempt that the server took: one that is just getting ready may refuse some.
func (b *testbed) mark(ctx context.Context) (begin time.Time, value string, err error) {
	b.mu.Lock()
	b.marks++
	value = strconv.Itoa(b.marks)
	b.mu.Unlock()
	limit, cancel := context.WithTimeout(ctx, rig.Patience)
	defer cancel()
	for {
		begin = time.Now()
		err = b.outsider.Patch(ctx, fmt.Sprintf(`{"data":{%q:%q}}`, outsideKey, value))
		if apierrors.IsNotFound(err) {
			err = b.outsider.Create(ctx, map[string]string{outsideKey: value})
		}
		if err == nil || rig.Pause(limit, 20*time.Millisecond) != nil {
			return begin, value, err
		}
	}
}

// ready waits until the API server says that it is, which it does not while it
// has no connection to etcd.
func (b *testbed) ready(ctx context.Context) error {
	var err error
	if rig.Until(ctx, rig.Patience, func() bool {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err = b.admin.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(limited)
		return err == nil
	}) != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	return nil
}

// conclude ends the load and holds the record to what is promised.
func (b *testbed) conclude(ctx context.Context) error {
	if b.run == nil { // it has been concluded, and no other record has begun
		return nil
	}
	b.load.stop()
	report, err := b.run.Check(ctx)
	b.run.Close()
	b.run = nil
	b.result.add(report)
	return errors.Join(err, report.Err())
}

// note adds to what the result says beside its figures.
func (b *testbed) note(text string) {
	if b.result.evidence != "" && text != "" {
		text = "; " + text
	}
	b.result.evidence += text
}

func (b *testbed) onClose(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closes = append(b.closes, fn)
}

// close ends everything, the youngest first.
func (b *testbed) close() {
	if b.load != nil {
		b.load.stop()
	}
	for _, fn := range slices.Backward(b.closes) {
		fn()
	}
}

// newRand returns a generator of its own for one user, in an order that the
// seed repeats.
func (b *testbed) newRand() *rand.Rand {
	b.mu.Lock()
	defer b.mu.Unlock()
	return rand.New(rand.NewPCG(b.rng.Uint64(), b.rng.Uint64()))
}
