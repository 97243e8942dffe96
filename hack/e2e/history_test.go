package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	historyTime  = 8 * time.Second // how long a history grows
	historyLimit = time.Minute     // and how long at most, on a machine that has much else to do
)

// Promises 1 to 5, 7 and 8, on whole histories: several stores, each with
// several goroutines that do what comes to their mind, all of it recorded and
// held against what etcd has seen.
func TestHistoriesAreLinearizable(t *testing.T) {
	type row struct {
		faults  func(*rand.Rand) func(*http.Request, *http.Response) (*http.Response, error)
		foreign mix
		least   checker.Report // what the load must have come to, to mean something
	}
	for name, row := range map[string]row{
		"stores among themselves": {
			least: checker.Report{Acknowledged: 500, Unknown: 3, Failed: 20, Reads: 1000, Syncs: 50, Looks: 25, Changes: 200, Versions: 150},
		},
		"beside foreign writers": {
			foreign: foreignMix,
			least:   checker.Report{Acknowledged: 250, Unknown: 3, Failed: 10, Reads: 1000, Syncs: 25, Looks: 25, Changes: 200, Versions: 150, Foreign: 50},
		},
		"answers are lost": {
			faults:  losingSome,
			foreign: foreignMix,
			least:   checker.Report{Acknowledged: 150, Unknown: 3, Failed: 10, Reads: 1000, Syncs: 25, Looks: 25, Changes: 200, Versions: 100, Foreign: 50},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			random := seeded(t)
			h := newHistory(s)
			for i := range 4 {
				net := &network{}
				if row.faults != nil {
					net.onAnswer(row.faults(fork(random)))
				}
				client := h.run.Client(fmt.Sprintf("store %d", i), s.store(net.through))
				client.Follow(mapstore.Prefix("n"), mapstore.Keys("k1", "k2"))
				writers := 4
				if i == 0 { // its transactions find what others have written, and share no request with a write
					writers = 0
					h.actors = append(h.actors, &actor{Rand: fork(random), client: client, mix: lookMix, pause: time.Millisecond})
				}
				for range writers {
					h.actors = append(h.actors, &actor{Rand: fork(random), client: client, network: net, mix: storeMix})
				}
				for range 2 {
					h.actors = append(h.actors, &actor{Rand: fork(random), client: client, mix: readMix, pause: time.Millisecond})
				}
				h.actors = append(h.actors, &actor{Rand: fork(random), network: net, mix: lagMix})
			}
			if row.foreign != nil {
				for i := range 2 {
					outsider := h.run.Outsider(fmt.Sprintf("outsider %d", i), s.outside)
					h.actors = append(h.actors, &actor{Rand: fork(random), outsider: outsider, mix: row.foreign, pause: 20 * time.Millisecond})
				}
			}
			h.grow(row.least)
			if row.foreign != nil { // so that a deletion which a store misses is not made up for
				if err := h.run.Outsider("last", s.outside).Delete(t.Context()); err != nil && !isExpected(err) {
					t.Error(err)
				}
			}
			h.judge(row.least)
		})
	}
}

// seeded returns a source of random numbers. With the same seed the goroutines
// do the same, though not at the same moments.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if given := os.Getenv("HISTORY_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("HISTORY_SEED: %v", err)
		}
	}
	t.Logf("HISTORY_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// fork returns a source for another goroutine.
func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

// losingSome loses answers after the commit, in each of the ways in which that
// happens.
func losingSome(r *rand.Rand) func(*http.Request, *http.Response) (*http.Response, error) {
	var mu sync.Mutex
	ways := []func(*http.Request, *http.Response) (*http.Response, error){losing(1), busyAfter(1), failingAfter(1)}
	return func(request *http.Request, response *http.Response) (*http.Response, error) {
		mu.Lock()
		n := r.IntN(10)
		mu.Unlock()
		if n >= len(ways) {
			return response, nil
		}
		return ways[n](request, response)
	}
}

// A history is what some actors do to one map at the same time.
type history struct {
	*testing.T
	run    *checker.Run
	actors []*actor
}

func newHistory(s *site) *history {
	s.Helper()
	run, err := checker.Start(within(s.T, 20*time.Second), s.plane.EtcdURL(), s.namespace, mapName)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(run.Close)
	return &history{T: s.T, run: run}
}

// An actor is one goroutine.
type actor struct {
	*rand.Rand
	client   *checker.Client
	outsider *checker.Outsider
	network  *network
	mix      mix
	pause    time.Duration // between two operations
}

// A mix is what actors do, and how often in relation to each other.
type mix []struct {
	weight int
	do     func(context.Context, *actor) error
}

func (m mix) pick(r *rand.Rand) func(context.Context, *actor) error {
	total := 0
	for _, row := range m {
		total += row.weight
	}
	n := r.IntN(total)
	for _, row := range m {
		if n -= row.weight; n < 0 {
			return row.do
		}
	}
	panic("unreachable")
}

// grow lets the actors act for historyTime, and until there is enough of what can
// be counted meanwhile.
func (h *history) grow(least checker.Report) {
	least.Changes, least.Foreign = 0, 0
	start := time.Now()
	isEnough := func() bool {
		took := time.Since(start)
		return took > historyTime && reaches(h.run.SoFar(), least) || took > historyLimit
	}
	var wg sync.WaitGroup
	for _, a := range h.actors {
		wg.Go(func() {
			for !isEnough() {
				if err := a.mix.pick(a.Rand)(h.Context(), a); err != nil && !isExpected(err) {
					h.Error(err)
				}
				time.Sleep(a.pause) // its rate
			}
		})
	}
	wg.Wait()
}

func (h *history) judge(least checker.Report) {
	start := time.Now()
	report, err := h.run.Check(within(h.T, time.Minute))
	if err != nil {
		h.Fatal(err)
	}
	h.Logf("%v, in %v", report, time.Since(start).Round(time.Millisecond))
	if err := report.Err(); err != nil {
		h.Error(err)
	}
	if !reaches(report, least) {
		h.Errorf("the load means nothing: want at least %+v", least)
	}
}

func reaches(report, least checker.Report) bool {
	return report.Acknowledged >= least.Acknowledged && report.Unknown >= least.Unknown && report.Failed >= least.Failed &&
		report.Reads >= least.Reads && report.Syncs >= least.Syncs && report.Looks >= least.Looks && report.Changes >= least.Changes &&
		report.Versions >= least.Versions && report.Foreign >= least.Foreign
}

// errChangedMind is what a transaction returns that is not to be applied.
var errChangedMind = errors.New("changed its mind")

func isExpected(err error) bool {
	return errors.Is(err, errChangedMind) || errors.Is(err, mapstore.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

func (a *actor) key(prefix string) string { return prefix + strconv.Itoa(a.IntN(6)) }

// value returns a text, or now and then bytes that are not.
func (a *actor) value() string {
	if a.IntN(5) == 0 {
		return "\xff\x00" + strconv.Itoa(a.IntN(1000))
	}
	return strconv.Itoa(a.IntN(1000))
}

var storeMix = mix{
	{6, func(ctx context.Context, a *actor) error { return a.client.Increment(ctx, a.key("n")) }},
	{6, func(ctx context.Context, a *actor) error { return a.client.Update(ctx, a.swap()) }},
	{4, func(ctx context.Context, a *actor) error { return a.client.Update(ctx, a.rewrite()) }},
	{6, func(ctx context.Context, a *actor) error { return a.client.Set(ctx, a.key("k"), a.value()) }},
	{3, func(ctx context.Context, a *actor) error { return a.client.Delete(ctx, a.key("k")) }},
	{1, func(ctx context.Context, a *actor) error { return a.client.Clear(ctx) }},
	{3, func(ctx context.Context, a *actor) error { return a.client.Sync(ctx) }},
	{2, func(ctx context.Context, a *actor) error { return a.client.Look(ctx) }},
	{2, func(ctx context.Context, a *actor) error {
		swap := a.swap()
		return a.client.Update(ctx, func(tx *mapstore.Tx) error { return errors.Join(swap(tx), errChangedMind) })
	}},
	{2, func(ctx context.Context, a *actor) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(a.IntN(6000))*time.Microsecond)
		defer cancel()
		return a.client.Increment(ctx, a.key("n"))
	}},
	{1, func(ctx context.Context, a *actor) error { return a.leave(ctx) }},
}

// leave gives up when the request is under way that carries what it has written.
// A limit of time would end before, on a machine that has much else to do.
func (a *actor) leave(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	swap := a.swap()
	return a.client.Update(ctx, func(tx *mapstore.Tx) error {
		a.network.onRequest(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodPut {
				cancel()
			}
			return nil, nil
		})
		return swap(tx)
	})
}

// swap exchanges the values of two keys, either of which may be absent.
func (a *actor) swap() func(*mapstore.Tx) error {
	one, other := a.key("k"), a.key("k")
	return func(tx *mapstore.Tx) error {
		x, hasX := tx.Get(one)
		y, hasY := tx.Get(other)
		put(tx, one, y, hasY)
		put(tx, other, x, hasX)
		return nil
	}
}

func put(tx *mapstore.Tx, key, value string, has bool) {
	if has {
		tx.Set(key, value)
	} else {
		tx.Delete(key)
	}
}

// rewrite clears the map, writes some of it again, and how much it was.
func (a *actor) rewrite() func(*mapstore.Tx) error {
	kept := a.key("n")
	return func(tx *mapstore.Tx) error {
		value, has := tx.Get(kept)
		size := tx.Len()
		if size%3 == 0 {
			tx.Clear()
		}
		put(tx, kept, value, has)
		tx.Set("size", strconv.Itoa(size))
		tx.Set("keys", strconv.Itoa(len(tx.Keys())))
		return nil
	}
}

var readMix = mix{
	{20, func(_ context.Context, a *actor) error { a.client.Read(); return nil }},
	{1, func(ctx context.Context, a *actor) error { return a.client.Sync(ctx) }},
}

var lookMix = mix{
	{1, func(ctx context.Context, a *actor) error { return a.client.Look(ctx) }},
}

// The watch lags behind what the store learns by its own requests.
var lagMix = mix{
	{1, func(_ context.Context, a *actor) error {
		time.Sleep(time.Duration(a.IntN(60)) * time.Millisecond) // how long it does not
		release := a.network.delayWatches()
		time.Sleep(time.Duration(a.IntN(60)) * time.Millisecond) // how long it does
		release()
		return nil
	}},
}

// What people do with kubectl: also to keys that stores write, and to the map
// itself.
var foreignMix = mix{
	{20, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"data":{%q:"%d"}}`, a.key("n"), a.IntN(1000)))
	}},
	{10, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"data":{%q:null,"foreign":"%d"}}`, a.key("k"), a.IntN(1000)))
	}},
	{10, func(ctx context.Context, a *actor) error {
		return a.outsider.Patch(ctx, fmt.Sprintf(`{"metadata":{"labels":{"foreign":"%d"}}}`, a.IntN(1000)))
	}},
	{5, func(ctx context.Context, a *actor) error {
		return a.outsider.Edit(ctx, func(cm *corev1.ConfigMap) { delete(cm.Data, a.key("n")) })
	}},
	{3, func(ctx context.Context, a *actor) error {
		return a.outsider.Replace(ctx, map[string]string{a.key("n"): "1", a.key("k"): "replaced"})
	}},
	{2, func(ctx context.Context, a *actor) error { return a.outsider.Delete(ctx) }},
	{2, func(ctx context.Context, a *actor) error { return a.outsider.Restore(ctx) }},
	{2, func(ctx context.Context, a *actor) error {
		return a.outsider.Recreate(ctx, map[string]string{a.key("n"): "1", a.key("k"): "recreated"})
	}},
}

// The check itself is held to what it says: its witness misses nothing while
// etcd is killed, and notices when history is lost.
func TestTheWitnessOutlivesKillsAndNoticesARestore(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	store := s.store()
	lasting := newHistory(s)
	client := lasting.run.Client("store", store)
	var writers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := client.Increment(t.Context(), "n"); err != nil && !isExpected(err) {
					t.Error(err)
				}
			}
		})
	}
	more := func() {
		acknowledged := lasting.run.SoFar().Acknowledged
		settles(t, "writers", func() bool { return lasting.run.SoFar().Acknowledged > acknowledged+20 })
	}
	for range 2 {
		more()
		if err := plane.Etcd.Kill(); err != nil {
			t.Fatal(err)
		}
		startPlane(t, plane.Etcd.Restart)
	}
	more()
	stop()
	writers.Wait()
	lasting.judge(checker.Report{Acknowledged: 60})

	lost := newHistory(s)
	stopPlane(t, plane.APIServer.Kill, plane.Etcd.Kill)
	backup := filepath.Join(t.TempDir(), "backup")
	copyDir(t, plane.EtcdDir(), backup)
	startPlane(t, plane.Etcd.Restart, plane.APIServer.Restart)
	for n := range 50 {
		s.set(store, "k", strconv.Itoa(n))
	}
	if _, err := lost.run.Check(within(t, 20*time.Second)); err != nil {
		t.Errorf("before the restore: %v", err)
	}
	stopPlane(t, plane.APIServer.Kill, plane.Etcd.Kill)
	if err := os.RemoveAll(plane.EtcdDir()); err != nil {
		t.Fatal(err)
	}
	copyDir(t, backup, plane.EtcdDir())
	startPlane(t, plane.Etcd.Restart, plane.APIServer.Restart)
	if _, err := lost.run.Check(within(t, 20*time.Second)); err == nil || !strings.Contains(err.Error(), "gone back in time") {
		t.Errorf("after the restore: %v", err)
	}
}
