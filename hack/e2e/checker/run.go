// Package checker records what the clients of one map do, beside a witness of
// what really happened to it, and judges the one by the other.
//
// # What is recorded
//
// Each call of a [Client], with the times of its call and its return on one
// clock and with its outcome. Of a transaction that is the whole map before and
// after each run of its function: whatever it read, it read from the one, and
// whatever it wrote is in the other. Of one that its function has aborted it is
// what that had found last, which must have been there. Of a read, a Sync and a
// Change it is the version that it showed. The witness is a watch of the key in
// etcd under which the API server keeps the map: every version, in order, with
// none in between.
//
// # Marks
//
// Each transaction writes a mark of its own beside what it was told to write,
// under its client's key, which begins with [MarkPrefix]. Of transactions that share
// a request, the last one's mark is left, and each has found the one before it. So
// the witness tells exactly which transactions took effect, in which version and how
// often, whoever deletes, replaces or clears the map meanwhile.
//
// # What a run must keep to
//
// Whoever writes through a recorded store must do so by its [Client]: what else
// shares a request with a recorded transaction cannot be told from it. Others
// may write to the map as they like, but for one thing: who puts older contents
// back, and with them old marks, must be an [Outsider]. Etcd must not be
// restored from a backup during a run: that ends in an error of Check.
package checker

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Run records what the clients of one map do, beside a witness of what really
// happened to it.
type Run struct {
	namespace, name string
	nonce           string // tells the marks of this run from those of others
	clock           clock
	pool            pool
	witness         *witness
	edits           atomic.Int64    // of all outsiders
	ended           [3]atomic.Int64 // transactions, by outcome
	looks           atomic.Int64

	mu      sync.Mutex // protects all below
	record  record
	clients []*Client
}

// A record is what clients and outsiders have done.
type record struct {
	transactions []*transaction // by id
	reads        []read         // local ones
	syncs        []read
	edits        []edit
}

// A clock tells the time since it was made, which never goes back.
type clock struct{ start time.Time }

func (c clock) now() int64 { return int64(time.Since(c.start)) }

// A span is when a call was made and when it returned.
type span struct{ call, ret int64 }

// Start begins the witness: once Start has returned, it misses no version. It
// returns an error when etcd does not answer before ctx ends; afterwards ctx
// means nothing to the run.
func Start(ctx context.Context, etcdURL, namespace, name string) (*Run, error) {
	r := &Run{namespace: namespace, name: name, nonce: rand.Text()[:6], clock: clock{time.Now()}}
	var err error
	r.witness, err = newWitness(ctx, etcdURL, "/registry/configmaps/"+namespace+"/"+name, r.clock, &r.pool)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Client returns a client of the map, and follows the store's changes from now
// on: all of them, and beside that those of the client's own mark.
func (r *Run) Client(name string, store *mapstore.Store) *Client {
	r.mu.Lock()
	c := &Client{run: r, name: name, markKey: MarkPrefix + strconv.Itoa(len(r.clients)), store: store}
	r.clients = append(r.clients, c)
	r.mu.Unlock()

	c.Follow()
	c.Follow(mapstore.Keys(c.markKey))
	return c
}

// Outsider returns a writer that knows nothing of stores.
func (r *Run) Outsider(name string, client kubernetes.Interface) *Outsider {
	return &Outsider{run: r, name: name, maps: client.CoreV1().ConfigMaps(r.namespace)}
}

// SoFar counts what has been recorded until now. Foreign are the edits of
// outsiders.
func (r *Run) SoFar() Report {
	changes := 0
	for _, c := range r.everyClient() {
		c.mu.Lock()
		for _, f := range c.followers {
			changes += f.count()
		}
		c.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Report{
		Acknowledged: int(r.ended[acknowledged].Load()),
		Unknown:      int(r.ended[unknown].Load()),
		Failed:       int(r.ended[failed].Load()),
		Reads:        len(r.record.reads),
		Syncs:        len(r.record.syncs),
		Looks:        int(r.looks.Load()),
		Changes:      changes,
		Versions:     r.witness.count(),
		Foreign:      len(r.record.edits),
	}
}

// Latest returns the revision of the newest version that the witness has seen.
func (r *Run) Latest() int64 { return r.witness.latest() }

// Close ends the witness and the subscriptions. It may be called more than once.
func (r *Run) Close() {
	for _, c := range r.everyClient() {
		c.stop()
	}
	r.witness.close()
}

func (r *Run) everyClient() []*Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.clients)
}

// add adds to the record.
func (r *Run) add(change func(*record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.record)
}
