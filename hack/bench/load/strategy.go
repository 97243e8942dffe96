package load

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A change reads and writes the map.
type change func(get func(key string) string, set func(key, value string))

// A process is one process's way to write. Its update is called from many
// goroutines.
type process interface {
	update(ctx context.Context, change change) error
	close()
}

// Names of strategies.
const (
	Mapstore        = "mapstore"        // one store
	RetryOnConflict = "RetryOnConflict" // GET and Update inside retry.RetryOnConflict with its DefaultRetry
	Patient         = "Patient"         // the same with 15 attempts and growing, jittered delays of up to 3 s between them
	PUT             = "PUT"             // a bare guarded PUT, under a mutex; for one process
	Shared          = "Shared"          // each bare PUT carries one operation of every writer; for one process, and a number of operations
)

var strategies = map[string]func(context.Context, Plan, *rig.Rig, *rig.Client) (process, error){
	Mapstore: func(ctx context.Context, _ Plan, r *rig.Rig, client *rig.Client) (process, error) {
		store, err := r.Store(ctx, client, mapName)
		return storeProcess{store}, err
	},
	RetryOnConflict: func(_ context.Context, _ Plan, r *rig.Rig, client *rig.Client) (process, error) {
		return retryProcess{client, r.Namespace, retry.DefaultRetry}, nil
	},
	Patient: func(_ context.Context, _ Plan, r *rig.Rig, client *rig.Client) (process, error) {
		return retryProcess{client, r.Namespace, patient}, nil
	},
	PUT: func(ctx context.Context, _ Plan, r *rig.Rig, client *rig.Client) (process, error) {
		putter, err := r.Putter(ctx, client, mapName)
		return &putProcess{putter: putter}, err
	},
	Shared: func(ctx context.Context, p Plan, r *rig.Rig, client *rig.Client) (process, error) {
		if p.Operations == 0 {
			return nil, errors.New("load: who shares each PUT with all others needs a number of operations")
		}
		putter, err := r.Putter(ctx, client, mapName)
		return &sharedProcess{putter: putter, size: p.Writers}, err
	},
}

// A Cap would end the attempts when the delay comes to it.
var patient = wait.Backoff{Duration: 5 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: 15}

// Strategies returns the names of all strategies.
func Strategies() []string { return slices.Sorted(maps.Keys(strategies)) }

type storeProcess struct{ store *mapstore.Store }

func (p storeProcess) close() { p.store.Close() }

func (p storeProcess) update(ctx context.Context, change change) error {
	_, err := p.store.Update(ctx, func(tx *mapstore.Tx) error {
		change(func(key string) string {
			value, _ := tx.Get(key)
			return value
		}, tx.Set)
		return nil
	})
	return err
}

type retryProcess struct {
	client    kubernetes.Interface
	namespace string
	backoff   wait.Backoff
}

func (retryProcess) close() {}

func (p retryProcess) update(ctx context.Context, change change) error {
	maps := p.client.CoreV1().ConfigMaps(p.namespace)
	return retry.RetryOnConflict(p.backoff, func() error {
		object, err := maps.Get(ctx, mapName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if object.Data == nil {
			object.Data = make(map[string]string)
		}
		change(func(key string) string { return object.Data[key] }, func(key, value string) { object.Data[key] = value })
		_, err = maps.Update(ctx, object, metav1.UpdateOptions{})
		return err
	})
}

type putProcess struct {
	mu     sync.Mutex // protects all below
	putter *rig.Putter
	err    error // its object is of no use any more
}

func (*putProcess) close() {}

func (p *putProcess) update(ctx context.Context, change change) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if err := p.putter.Update(ctx, func(data map[string]string) {
		change(func(key string) string { return data[key] }, func(key, value string) { data[key] = value })
	}); err != nil {
		p.err = errors.Join(errors.New("load: somebody else writes beside a bare PUT"), err)
	}
	return p.err
}

// A sharedProcess is as good as sharing requests can be: it knows that all of its
// writers come, and waits for the last of them.
type sharedProcess struct {
	putter *rig.Putter
	size   int

	mu   sync.Mutex // protects all below
	next *shared
}

// A shared request carries one operation of every writer.
type shared struct {
	changes []change
	err     error // set before done is closed
	done    chan struct{}
}

func (*sharedProcess) close() {}

func (p *sharedProcess) update(ctx context.Context, change change) error {
	request, last := p.join(change)
	if !last {
		<-request.done
		return request.err
	}
	defer close(request.done)
	request.err = p.putter.Update(ctx, func(data map[string]string) {
		for _, change := range request.changes {
			change(func(key string) string { return data[key] }, func(key, value string) { data[key] = value })
		}
	})
	return request.err
}

// join adds a change to the next request, and reports whether it was the last.
func (p *sharedProcess) join(c change) (request *shared, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = &shared{done: make(chan struct{})}
	}
	request = p.next
	request.changes = append(request.changes, c)
	if last = len(request.changes) == p.size; last {
		p.next = nil
	}
	return request, last
}
