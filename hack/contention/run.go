package contention

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

// A world is one run of a pattern.
type world struct {
	t           *testing.T
	api         *mapstoretest.API
	server      *server
	strategy    Strategy
	coordinator coordinator
	outside     kubernetes.Interface // takes no time

	mu      sync.Mutex // protects all below
	result  *Result
	commits chan struct{} // closed and replaced at each commit
	random  *rand.Rand
}

// Run runs the pattern on the network, in virtual time. Runs with the same seed differ a
// little, by the order in which goroutines run.
func Run(t *testing.T, strategy Strategy, p Pattern, n Network, seed uint64) *Result {
	t.Helper()
	var result *Result
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, api: mapstoretest.NewAPI(t), strategy: strategy, commits: make(chan struct{}),
			server: newServer(n, rand.New(rand.NewPCG(seed, 0))),
			random: rand.New(rand.NewPCG(seed, 1)),
			result: &Result{Pattern: p, Network: n},
		}
		w.outside = w.api.Client()
		w.run(p)
		result = w.result
	})
	return result
}

func (w *world) run(p Pattern) {
	if !p.Absent {
		w.api.ConfigMap(namespace, name).Put(nil)
	}
	var actors []*actor
	for _, g := range p.Groups {
		g.Writers = max(g.Writers, 1)
		r := &GroupResult{Group: g, Counts: make([]int, g.Stores)}
		w.result.Groups = append(w.result.Groups, r)
		var before chan struct{}
		for i := range g.Stores {
			a := &actor{world: w, result: r, index: i, before: before, done: make(chan struct{}), seed: w.random.Uint64()}
			a.open()
			if g.InTurn {
				before = a.done
			}
			actors = append(actors, a)
		}
	}
	time.Sleep(time.Second) // so that the opening of watches is over
	w.mu.Lock()
	w.result.PUTs, w.result.Patches = 0, 0
	w.mu.Unlock()

	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	if p.For > 0 {
		time.AfterFunc(p.For, cancel)
	}
	w.server.slowed = func() float64 {
		if p.Slows > 0 && time.Since(began) > p.For/2 {
			return p.Slows
		}
		return 1
	}
	var all sync.WaitGroup
	for _, a := range actors {
		all.Go(func() { a.run(ctx) })
	}
	all.Wait()
	cancel()
	w.result.Took = time.Since(began)
	for _, a := range actors {
		a.client.close()
	}
	time.Sleep(time.Second)
}

// dial returns a client that is so far away.
func (w *world) dial(away time.Duration) kubernetes.Interface {
	if away == 0 {
		away = w.server.OneWay
	}
	config := w.api.Config()
	config.Transport = &wire{server: w.server, next: config.Transport, oneWay: away, count: w.count}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

func (w *world) count(method string, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch method {
	case http.MethodPut, http.MethodPost:
		w.result.PUTs++
	case http.MethodPatch:
		w.result.Patches++
	}
	if status < http.StatusMultipleChoices {
		close(w.commits)
		w.commits = make(chan struct{})
	}
}

// applied returns a channel that is closed at the next commit.
func (w *world) applied() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commits
}

// newest returns the map as it is at this moment.
func (w *world) newest() *corev1.ConfigMap {
	object, err := w.outside.CoreV1().ConfigMaps(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Error(err)
	}
	return object
}

// An actor is one store and its writers.
type actor struct {
	world  *world
	result *GroupResult
	index  int
	seed   uint64
	client client
	before <-chan struct{} // closed when the store before it is done; nil if it need not wait
	done   chan struct{}
}

func (a *actor) open() {
	strategy := a.world.strategy
	if a.result.Plain {
		strategy = Patient
	}
	a.client = strategy.open(a.world.t, a.world, a.world.dial(a.result.Away))
}

func (a *actor) run(ctx context.Context) {
	defer close(a.done)
	if a.before != nil {
		<-a.before
	}
	var lives sync.WaitGroup
	for generation := uint64(0); ; generation++ {
		random := rand.New(rand.NewPCG(a.seed, generation))
		life, end := context.WithCancel(ctx)
		if a.result.Lives > 0 {
			time.AfterFunc(phase(random, 2*a.result.Lives), end)
		}
		for writer := range a.result.Writers {
			seed := random.Uint64()
			lives.Go(func() { a.write(life, writer, rand.New(rand.NewPCG(seed, 0))) })
		}
		lives.Wait()
		end()
		if a.result.Lives == 0 || ctx.Err() != nil {
			return
		}
		a.client.close()
		a.open()
	}
}

// write is one writer. It ends when life does, or when it has written often enough.
func (a *actor) write(life context.Context, writer int, random *rand.Rand) {
	key := fmt.Sprintf("%s.%d.%d", "key", a.index, writer)
	next := time.Now()
	if a.result.Writes == 0 {
		next = next.Add(phase(random, a.result.Every))
	}
	last := time.Now()
	for n := 1; a.result.Writes == 0 || n <= a.result.Writes; n++ {
		if !sleep(life, time.Until(next)) {
			break
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := a.client.write(ctx, key, fmt.Sprint(n), func() {
			a.world.mu.Lock()
			a.result.Runs++
			a.world.mu.Unlock()
			time.Sleep(a.result.Function)
		})
		cancel()
		a.record(err, began, &last)
		next = began.Add(a.result.Every)
		if a.result.Pause > 0 {
			next = time.Now().Add(a.result.Pause)
		}
	}
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.result.Every == 0 && a.result.Writes == 0 {
		a.result.Gap = max(a.result.Gap, time.Since(last))
	}
}

func (a *actor) record(err error, began time.Time, last *time.Time) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	r := a.result
	if err != nil {
		r.Failed++
		r.Errors = append(r.Errors, err)
		return
	}
	r.Took = append(r.Took, time.Since(began))
	r.Counts[a.index]++
	if r.Every == 0 && r.Writes == 0 {
		r.Gap = max(r.Gap, time.Since(*last))
	}
	*last = time.Now()
}

// sleep waits for d. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
