package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// A witness watches the map's key in etcd.
type witness struct {
	key    string
	clock  clock
	pool   *pool
	client *clientv3.Client
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex // protects all below
	versions []version  // the first is what was there when the witness began
	writes   int64      // etcd's count of the writes to the key since it was created; 0 when absent
	complete int64      // every version up to this revision has been seen
	reached  int64      // the newest revision that etcd is known to have had
	err      error      // why history was lost
}

var errRewound = errors.New("etcd has gone back in time")

func newWitness(ctx context.Context, url, key string, clock clock, pool *pool) (*witness, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(url, ","), // those that are gone, or hang, are passed over
		// No more often than a server takes it (--grpc-keepalive-min-time).
		DialKeepAliveTime: 5 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		Logger: zap.NewNop(),
		// By default gRPC waits for up to two minutes between attempts to reconnect.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("checker: %w", err)
	}
	w := &witness{key: key, clock: clock, pool: pool, client: client}
	first, err := client.Get(ctx, key)
	if err == nil {
		err = w.begin(first)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("checker: reading %s from etcd: %w", key, err), client.Close())
	}
	watchCtx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.tasks.Go(func() { w.watch(watchCtx, first.Header.Revision+1) })
	w.tasks.Go(func() { w.guard(watchCtx) })
	return w, nil
}

func (w *witness) close() {
	w.cancel()
	w.tasks.Wait()
	_ = w.client.Close() // it has served its purpose
}

func (w *witness) begin(first *clientv3.GetResponse) error {
	v := version{view: view{revision: first.Header.Revision}, observed: w.clock.now()}
	if len(first.Kvs) > 0 {
		var err error
		if v, err = w.decode(first.Kvs[0]); err != nil {
			return err
		}
		w.writes = first.Kvs[0].Version
	}
	w.versions = []version{v}
	w.complete, w.reached = first.Header.Revision, first.Header.Revision
	return nil
}

// watch takes versions from revision next on. The client resumes a broken watch
// by itself where it was, and so does this loop one that the client gives up.
func (w *witness) watch(ctx context.Context, next int64) {
	for ctx.Err() == nil {
		if err := w.follow(ctx, next); err != nil {
			w.fail(err)
			return
		}
		next = w.upTo() + 1
		select {
		case <-time.After(50 * time.Millisecond): // the rate of reconnecting
		case <-ctx.Done():
		}
	}
}

// follow returns nil when the client has given up the watch.
func (w *witness) follow(ctx context.Context, next int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A member that is cut off from the others would bring nothing, and not say so.
	for response := range w.client.Watch(clientv3.WithRequireLeader(ctx), w.key, clientv3.WithRev(next)) {
		switch {
		case response.CompactRevision != 0:
			return fmt.Errorf("etcd has compacted what is before revision %d, and the witness had only come to %d", response.CompactRevision, w.upTo())
		case response.Err() != nil:
			return nil
		}
		if err := w.take(response); err != nil {
			return err
		}
	}
	return nil
}

func (w *witness) take(response clientv3.WatchResponse) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, event := range response.Events {
		if err := w.addLocked(event); err != nil {
			return err
		}
	}
	if response.IsProgressNotify() {
		w.complete = max(w.complete, response.Header.Revision)
	}
	w.reached = max(w.reached, w.complete)
	return nil
}

// addLocked adds one version. Etcd counts the writes to a key, which shows that
// none is missing.
func (w *witness) addLocked(event *clientv3.Event) error {
	kv := event.Kv
	v, writes := version{view: view{revision: kv.ModRevision}, observed: w.clock.now()}, int64(0)
	if event.Type == mvccpb.PUT {
		var err error
		if v, err = w.decode(kv); err != nil {
			return err
		}
		writes = kv.Version
		if writes != w.writes+1 {
			return fmt.Errorf("revision %d is write %d to the key, after write %d", kv.ModRevision, writes, w.writes)
		}
	} else if w.writes == 0 {
		return fmt.Errorf("revision %d deletes a key that was absent", kv.ModRevision)
	}
	if v.revision <= w.complete {
		return fmt.Errorf("%w: revision %d came after %d", errRewound, v.revision, w.complete)
	}
	w.versions = append(w.versions, v)
	w.complete, w.writes = v.revision, writes
	return nil
}

// guard notices when etcd goes back in time between two versions, which a watch
// would not tell.
func (w *witness) guard(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = w.ask(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// ask reads the key, and compares etcd's revision with the newest one known.
func (w *witness) ask(ctx context.Context) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	w.mu.Lock()
	reached := w.reached
	w.mu.Unlock()
	now, err := w.client.Get(ctx, w.key)
	if err != nil {
		return nil, err
	}
	if now.Header.Revision < reached {
		err = fmt.Errorf("%w: it is at revision %d, and has been at %d", errRewound, now.Header.Revision, reached)
		w.fail(err)
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached = max(w.reached, now.Header.Revision)
	return now, nil
}

// settle waits until the witness has seen everything up to now, and returns it.
func (w *witness) settle(ctx context.Context) ([]version, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var now *clientv3.GetResponse
	var cause error
	for {
		if err := w.failure(); err != nil {
			return nil, fmt.Errorf("checker: the witness has lost history: %w", err)
		}
		if now == nil {
			now, cause = w.ask(ctx)
		} else if w.upTo() >= now.Header.Revision {
			break
		} else {
			cause = w.client.RequestProgress(clientv3.WithRequireLeader(ctx)) // as its watch is: it has a stream of its own
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("checker: the witness has only come to revision %d: %w", w.upTo(), errors.Join(context.Cause(ctx), cause))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.versions[len(w.versions)-1]
	if exists := len(now.Kvs) > 0; exists != last.exists || exists && now.Kvs[0].ModRevision != last.revision {
		return nil, fmt.Errorf("checker: the witness has come to %v, which is not what etcd holds", last)
	}
	return slices.Clone(w.versions), nil
}

func (w *witness) latest() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.versions[len(w.versions)-1].revision
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.versions)
}

func (w *witness) upTo() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.complete
}

func (w *witness) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *witness) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}
