package load

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	PUT             = "PUT"             // a bare guarded PUT, under a mutex; for one process
)

var strategies = map[string]func(context.Context, *rig.Rig, *rig.Client) (process, error){
	Mapstore: func(ctx context.Context, r *rig.Rig, client *rig.Client) (process, error) {
		store, err := r.Store(ctx, client, mapName)
		return storeProcess{store}, err
	},
	RetryOnConflict: func(_ context.Context, r *rig.Rig, client *rig.Client) (process, error) {
		return retryProcess{client, r.Namespace}, nil
	},
	PUT: func(ctx context.Context, r *rig.Rig, client *rig.Client) (process, error) {
		putter, err := r.Putter(ctx, client, mapName)
		return &putProcess{putter: putter}, err
	},
}

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
}

func (retryProcess) close() {}

func (p retryProcess) update(ctx context.Context, change change) error {
	maps := p.client.CoreV1().ConfigMaps(p.namespace)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
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
