package load

import (
	"context"
	"errors"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A change reads and writes the map.
type change func(get func(key string) string, set func(key, value string))

// to makes the change to a map's data.
func (c change) to(data map[string]string) {
	c(func(key string) string { return data[key] }, func(key, value string) { data[key] = value })
}

// A process is one process's way to write. Its update is called from many
// goroutines.
type process struct {
	*rig.Client
	update func(ctx context.Context, change change) error
	close  func()
}

// A Strategy is a way to write one map from many goroutines.
type Strategy struct {
	Name string
	open func(ctx context.Context, r *rig.Rig, writers int) (*process, error)
}

// The strategies.
var (
	// Mapstore is one store.
	Mapstore = &Strategy{"mapstore", storing}
	// RetryOnConflict is a GET and an Update inside retry.RetryOnConflict.
	RetryOnConflict = &Strategy{"RetryOnConflict", retrying(retry.DefaultRetry)}
	// Patient is the same with growing, jittered delays of up to 3 s between the attempts. A
	// Cap would end them when the delay comes to it.
	Patient = &Strategy{"RetryOnConflict, 15 attempts", retrying(wait.Backoff{Duration: 5 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: 15})}
	// PUT is a bare guarded PUT; for one process.
	PUT = &Strategy{"bare PUT", putting}
	// Shared is as good as sharing requests can be: each bare PUT carries one operation of
	// every writer; for one process, and a number of operations.
	Shared = &Strategy{"bare PUT, shared by all", sharing}
)

func storing(ctx context.Context, r *rig.Rig, _ int) (*process, error) {
	p, err := r.Process(ctx, mapName)
	if err != nil {
		return nil, err
	}
	return &process{p.Client, func(ctx context.Context, change change) error {
		_, err := p.Store.Update(ctx, func(tx *mapstore.Tx) error {
			change(func(key string) string {
				value, _ := tx.Get(key)
				return value
			}, tx.Set)
			return nil
		})
		return err
	}, p.Close}, nil
}

func retrying(backoff wait.Backoff) func(context.Context, *rig.Rig, int) (*process, error) {
	return func(_ context.Context, r *rig.Rig, _ int) (*process, error) {
		client, err := r.Client()
		if err != nil {
			return nil, err
		}
		maps := client.CoreV1().ConfigMaps(r.Namespace)
		return &process{client, func(ctx context.Context, change change) error {
			return retry.RetryOnConflict(backoff, func() error {
				object, err := maps.Get(ctx, mapName, metav1.GetOptions{})
				if err != nil {
					return err
				}
				if object.Data == nil {
					object.Data = make(map[string]string)
				}
				change.to(object.Data)
				_, err = maps.Update(ctx, object, metav1.UpdateOptions{})
				return err
			})
		}, client.Close}, nil
	}
}

func putting(ctx context.Context, r *rig.Rig, _ int) (*process, error) {
	return sharing(ctx, r, 1)
}

func sharing(ctx context.Context, r *rig.Rig, writers int) (*process, error) {
	putter, err := r.Putter(ctx, mapName)
	if err != nil {
		return nil, err
	}
	return &process{putter.Client, (&sharer{putter: putter, size: writers}).update, putter.Close}, nil
}

// A sharer sends a request when as many writers have come as it is told to wait for.
type sharer struct {
	size int

	mu   sync.Mutex // protects next
	next *request

	sending sync.Mutex // protects all below
	putter  *rig.Putter
	err     error // the putter's object is of no use any more
}

// A request carries one operation of each of its writers.
type request struct {
	changes []change
	err     error // set before done is closed
	done    chan struct{}
}

func (s *sharer) update(ctx context.Context, change change) error {
	request, last := s.join(change)
	if last {
		request.err = s.send(ctx, request)
		close(request.done)
	}
	select {
	case <-request.done:
		return request.err
	case <-ctx.Done(): // and others may not come any more
		return ctx.Err()
	}
}

// join adds a change to the next request, and reports whether it was the last.
func (s *sharer) join(c change) (r *request, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &request{done: make(chan struct{})}
	}
	r = s.next
	r.changes = append(r.changes, c)
	if last = len(r.changes) == s.size; last {
		s.next = nil
	}
	return r, last
}

func (s *sharer) send(ctx context.Context, r *request) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.err != nil {
		return s.err
	}
	if err := s.putter.Update(ctx, func(data map[string]string) {
		for _, change := range r.changes {
			change.to(data)
		}
	}); err != nil {
		s.err = errors.Join(errors.New("load: somebody else writes beside a bare PUT"), err)
	}
	return s.err
}
