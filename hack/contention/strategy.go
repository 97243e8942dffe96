package contention

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	namespace = "default"
	name      = "shared"
)

// A Strategy is a way to write to a map that others write to.
type Strategy struct {
	Name string
	open func(t *testing.T, w *world, client kubernetes.Interface) client
}

// A client is one process's access to the map.
type client interface {
	// write sets a key, after a function that takes its time, which calls ran each time.
	write(ctx context.Context, key, value string, function func()) error
	close()
}

// The strategies.
var (
	// Mapstore is a store.
	Mapstore = Strategy{"mapstore", openStore}
	// RetryOnConflict is client-go's, which gives up after five attempts.
	RetryOnConflict = Strategy{"RetryOnConflict", func(_ *testing.T, _ *world, c kubernetes.Interface) client { return &plain{c, retry.DefaultRetry} }}
	// Patient is RetryOnConflict until ctx ends.
	Patient = Strategy{"RetryOnConflict, patient", openPatient}
	// Limit is what a coordinator would reach who knows everything: it lets one store
	// after the other write, as soon as that one can have heard of the version before.
	Limit = Strategy{"the limit", func(_ *testing.T, w *world, c kubernetes.Interface) client { return &coordinated{world: w, client: c} }}
)

// A store is a mapstore.
type store struct{ *mapstore.Store }

func openStore(t *testing.T, _ *world, c kubernetes.Interface) client {
	s, err := mapstore.New(c, namespace, name, mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := s.Start(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := s.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store{s}
}

func (s store) write(ctx context.Context, key, value string, function func()) error {
	_, err := s.Update(ctx, func(tx *mapstore.Tx) error {
		function()
		tx.Set(key, value)
		return nil
	})
	return err
}

func (s store) close() { _ = s.Close() }

// A plain client reads, changes and updates, and begins anew after a conflict.
type plain struct {
	client  kubernetes.Interface
	backoff wait.Backoff
}

func openPatient(_ *testing.T, _ *world, c kubernetes.Interface) client {
	backoff := retry.DefaultRetry
	backoff.Steps = 1 << 30
	return &plain{c, backoff}
}

func (p *plain) write(ctx context.Context, key, value string, function func()) error {
	return retry.OnError(p.backoff, func(err error) bool {
		return ctx.Err() == nil && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err))
	}, func() error { return update(ctx, p.client, nil, key, value, function) })
}

func (p *plain) close() {}

// update makes one attempt. It reads the map first, unless it is given.
func update(ctx context.Context, c kubernetes.Interface, object *corev1.ConfigMap, key, value string, function func()) error {
	maps := c.CoreV1().ConfigMaps(namespace)
	var err error
	if object == nil {
		object, err = maps.Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		function()
		_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{key: value}}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	function()
	if object.Data == nil {
		object.Data = make(map[string]string)
	}
	object.Data[key] = value
	_, err = maps.Update(ctx, object, metav1.UpdateOptions{})
	return err
}

// A coordinator lets one client after the other write.
type coordinator struct {
	mu    sync.Mutex
	queue []*coordinated
	busy  bool
}

// A coordinated client writes when the coordinator says so, all that its writers want at once.
type coordinated struct {
	world  *world
	client kubernetes.Interface

	mu      sync.Mutex
	pending []*pending
}

type pending struct {
	key, value string
	done       chan error
}

func (c *coordinated) write(ctx context.Context, key, value string, function func()) error {
	function() // the coordinator has let it run in time
	p := &pending{key, value, make(chan error, 1)}
	c.mu.Lock()
	c.pending = append(c.pending, p)
	first := len(c.pending) == 1
	c.mu.Unlock()
	if first {
		c.world.coordinator.enqueue(c)
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *coordinated) close() {}

func (q *coordinator) enqueue(c *coordinated) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, c)
	if !q.busy {
		q.busy = true
		go q.run()
	}
}

func (q *coordinator) run() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.busy = false
			q.mu.Unlock()
			return
		}
		c := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		c.commit()
	}
}

// commit writes what is pending, on the newest version. It returns when the next store
// can have heard of the version.
func (c *coordinated) commit() {
	c.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	object := c.world.newest()
	if object.Data == nil {
		object.Data = make(map[string]string)
	}
	for _, p := range pending {
		object.Data[p.key] = p.value
	}
	var err error
	applied := c.world.applied()
	go func() {
		maps := c.client.CoreV1().ConfigMaps(namespace)
		if object.UID == "" {
			object.Name = name
			_, err = maps.Create(context.Background(), object, metav1.CreateOptions{})
		} else {
			_, err = maps.Update(context.Background(), object, metav1.UpdateOptions{})
		}
		for _, p := range pending {
			p.done <- err
		}
	}()
	<-applied
	s := c.world.server
	time.Sleep(s.vary(time.Duration(float64(s.Fanout)*s.slowed())) + s.vary(s.OneWay))
}
