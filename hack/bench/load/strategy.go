package load

import (
	"context"
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
	open func(ctx context.Context, r *rig.Rig) (*process, error)
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
)

func storing(ctx context.Context, r *rig.Rig) (*process, error) {
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

func retrying(backoff wait.Backoff) func(context.Context, *rig.Rig) (*process, error) {
	return func(_ context.Context, r *rig.Rig) (*process, error) {
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

func putting(ctx context.Context, r *rig.Rig) (*process, error) {
	putter, err := r.Putter(ctx, mapName)
	if err != nil {
		return nil, err
	}
	var sending sync.Mutex
	return &process{putter.Client, func(ctx context.Context, change change) error {
		sending.Lock()
		defer sending.Unlock()
		return putter.Update(ctx, change.to)
	}, putter.Close}, nil
}
