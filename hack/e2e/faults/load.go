package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const (
	writersPerStore = 3
	counters        = 3 // shared by all writers
	accounts        = 4 // between which writers move money
	slots           = 5 // that writers set and delete

	// enough is how many transactions of each store have to be acknowledged before
	// a fault, and again after it, for the row to show anything.
	enough = 20
)

// A load is writers and readers on every store of a testbed.
type load struct {
	stopping chan struct{}
	stop     func() // returns once the last operation has
	pace     time.Duration

	mu    sync.Mutex               // protects begun
	begun map[*rand.Rand]time.Time // by the writers' generators: when each writer's transaction has begun
}

// startLoad begins to write and read. The pace is how long each writer waits
// between two transactions, on average.
func (b *testbed) startLoad(pace time.Duration) {
	// What is under way when the load stops is to have its outcome: no operation
	// is cut short, and each is bounded by the store's WriteTimeout.
	ctx := context.Background()
	l := &load{stopping: make(chan struct{}), pace: pace, begun: make(map[*rand.Rand]time.Time)}
	var tasks sync.WaitGroup
	for _, m := range b.members {
		writes := slices.Contains(b.writers(), m)
		for range writersPerStore {
			if writes {
				rng := b.newRand()
				tasks.Go(func() { l.write(ctx, m, rng) })
			}
		}
		tasks.Go(func() { l.read(ctx, m, writes) })
	}
	l.stop = sync.OnceFunc(func() {
		close(l.stopping)
		tasks.Wait()
	})
	b.load = l
}

func (l *load) write(ctx context.Context, m *member, rng *rand.Rand) {
	for l.again(time.Duration(rng.Int64N(int64(2 * l.pace)))) {
		l.note(func() { l.begun[rng] = time.Now() })
		err := l.transact(ctx, m, rng)
		l.note(func() { delete(l.begun, rng) })
		m.Count(err)
	}
}

func (l *load) note(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// isPast reports whether all transactions have ended that had begun before t.
func (l *load) isPast(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, begun := range l.begun {
		if begun.Before(t) {
			return false
		}
	}
	return true
}

// transact runs one transaction: most add to a counter, some move something
// between two keys, some touch one key only.
func (l *load) transact(ctx context.Context, m *member, rng *rand.Rand) error {
	slot := "slot-" + strconv.Itoa(rng.IntN(slots))
	switch draw := rng.IntN(10); {
	case draw < 6:
		return m.client.Update(ctx, rig.Increment("counter-"+strconv.Itoa(rng.IntN(counters))))
	case draw < 8:
		from := rng.IntN(accounts)
		to := (from + 1 + rng.IntN(accounts-1)) % accounts
		return m.client.Update(ctx, func(tx *mapstore.Tx) error {
			return errors.Join(rig.Add("account-"+strconv.Itoa(from), -1)(tx), rig.Add("account-"+strconv.Itoa(to), 1)(tx))
		})
	case draw < 9:
		return m.client.Set(ctx, slot, m.name+" "+strconv.Itoa(rng.IntN(1000)))
	default:
		return m.client.Delete(ctx, slot)
	}
}

// read reads locally and, unless the store is to be left to its watch, from the server.
func (l *load) read(ctx context.Context, m *member, syncs bool) {
	for n := 0; l.again(l.pace); n++ {
		m.client.Read()
		if n%20 == 0 && syncs {
			// Bounded, so that one that waits for a lost server does not end the local reads.
			limited, cancel := context.WithTimeout(ctx, time.Second)
			_ = m.client.Sync(limited) // the checker has taken it down
			cancel()
		}
	}
}

// again waits for the time between two operations. It returns false when there
// is to be no other.
func (l *load) again(wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return true
	case <-l.stopping:
		return false
	}
}

// expectLoad waits until n more transactions of each of these stores have been
// acknowledged.
func expectLoad(ctx context.Context, when string, n int64, members []*member) error {
	marks := make([]int64, len(members))
	for i, m := range members {
		marks[i] = m.Acknowledged.Load()
	}
	for i, m := range members {
		err := rig.Until(ctx, 2*rig.Patience, func() bool { return m.Acknowledged.Load() >= marks[i]+n })
		if err != nil {
			return fmt.Errorf("too little load %s: store %s acknowledged %d of %d transactions: %w", when, m.name, m.Acknowledged.Load()-marks[i], n, err)
		}
	}
	return nil
}
