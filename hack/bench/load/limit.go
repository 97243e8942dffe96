package load

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// Limit returns what nobody can be in a cluster: a coordinator of all processes, each with so
// many writers. It lets one process after the other send, in the order in which they come,
// hands each the version that the last one has made, and waits a moment for all writers of a
// process to share its request.
func Limit(writers int) *Strategy {
	c := &coordinator{writers: writers, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return &Strategy{"coordinator (the limit)", c.open}
}

// A coordinator belongs to the processes of one run at a time.
type coordinator struct {
	writers int
	turn    chan struct{}     // has the one turn; who waits for it gets it in the order of coming
	last    *corev1.ConfigMap // what the last request made; belongs to whoever has the turn
}

// gathering is how long a process waits for more of its writers.
const gathering = 2 * time.Millisecond

func (c *coordinator) open(_ context.Context, r *rig.Rig) (*process, error) {
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	g := &gatherer{coordinator: c, maps: client.CoreV1().ConfigMaps(r.Namespace), full: make(chan struct{}, 1)}
	return &process{client, g.update, client.Close}, nil
}

// A gatherer sends the changes of one process's writers.
type gatherer struct {
	*coordinator
	maps typedcorev1.ConfigMapInterface
	full chan struct{} // has something when all writers wait

	mu      sync.Mutex // protects all below
	sending bool
	waiting []change
	results []chan<- error // of those who wait
}

func (g *gatherer) update(ctx context.Context, change change) error {
	result := make(chan error, 1)
	g.mu.Lock()
	g.waiting, g.results = append(g.waiting, change), append(g.results, result)
	if len(g.waiting) == g.writers {
		select {
		case g.full <- struct{}{}:
		default:
		}
	}
	if !g.sending {
		g.sending = true
		go g.send(ctx)
	}
	g.mu.Unlock()
	return <-result
}

// send sends until nobody waits.
func (g *gatherer) send(ctx context.Context) {
	for {
		<-g.turn
		select {
		case <-g.full:
		case <-time.After(gathering):
		}
		g.mu.Lock()
		changes, results := g.waiting, g.results
		g.waiting, g.results = nil, nil
		select {
		case <-g.full: // it was about these
		default:
		}
		g.mu.Unlock()
		err := g.commit(ctx, changes)
		g.turn <- struct{}{}
		for _, result := range results {
			result <- err
		}
		g.mu.Lock()
		if g.sending = len(g.waiting) > 0; !g.sending {
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
	}
}

// commit makes one request of all changes, or two if the map is not as it was left.
func (g *gatherer) commit(ctx context.Context, changes []change) (err error) {
	for {
		if g.last == nil {
			if g.last, err = g.maps.Get(ctx, mapName, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		object := g.last.DeepCopy()
		if object.Data == nil {
			object.Data = make(map[string]string)
		}
		for _, change := range changes {
			change.to(object.Data)
		}
		g.last, err = g.maps.Update(ctx, object, metav1.UpdateOptions{})
		if err == nil {
			return nil
		}
		if g.last = nil; !apierrors.IsConflict(err) {
			return err
		}
	}
}
