package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

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
}

// startLoad begins to write and read. The pace is how long each writer waits
// between two transactions, on average.
func (b *testbed) startLoad(pace time.Duration) {
	// What is under way when the load stops is to have its outcome: no operation
	// is cut short, and each is bounded by the store's WriteTimeout.
	ctx := context.Background()
	l := &load{stopping: make(chan struct{}), pace: pace}
	var tasks sync.WaitGroup
	for _, m := range b.members {
		for range l.writers(b, m) {
			rng := b.newRand()
			tasks.Go(func() { l.write(ctx, m, rng) })
		}
		tasks.Go(func() { l.read(ctx, m) })
	}
	l.stop = sync.OnceFunc(func() {
		close(l.stopping)
		tasks.Wait()
	})
	b.load = l
}

// writers returns how many a store has.
func (*load) writers(b *testbed, m *member) int {
	if slices.Contains(b.writers(), m) {
		return writersPerStore
	}
	return 0
}

func (l *load) write(ctx context.Context, m *member, rng *rand.Rand) {
	for l.again(time.Duration(rng.Int64N(int64(2 * l.pace)))) {
		m.count(l.transact(ctx, m, rng))
	}
}

// transact runs one transaction: most add to a counter, some move something
// between two keys, some touch one key only.
func (l *load) transact(ctx context.Context, m *member, rng *rand.Rand) error {
	slot := "slot-" + strconv.Itoa(rng.IntN(slots))
	switch draw := rng.IntN(10); {
	case draw < 6:
		return m.client.Increment(ctx, "counter-"+strconv.Itoa(rng.IntN(counters)))
	case draw < 8:
		from := rng.IntN(accounts)
		to := (from + 1 + rng.IntN(accounts-1)) % accounts
		return m.client.Update(ctx, transfer("account-"+strconv.Itoa(from), "account-"+strconv.Itoa(to)))
	case draw < 9:
		return m.client.Set(ctx, slot, m.name+" "+strconv.Itoa(rng.IntN(1000)))
	default:
		return m.client.Delete(ctx, slot)
	}
}

// transfer moves 1 from one key to another. A key that is absent, or that
// somebody has written nonsense into, counts as zero.
func transfer(from, to string) func(*mapstore.Tx) error {
	return func(tx *mapstore.Tx) error {
		for key, change := range map[string]int{from: -1, to: 1} {
			value, _ := tx.Get(key)
			n, _ := strconv.Atoi(value)
			tx.Set(key, strconv.Itoa(n+change))
		}
		return nil
	}
}

func (l *load) read(ctx context.Context, m *member) {
	for n := 0; l.again(l.pace); n++ {
		m.client.Read()
		if n%20 == 0 {
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

// A tally counts what became of the transactions of one store.
type tally struct {
	acknowledged, unknown, failed atomic.Int64
}

func (t *tally) count(err error) {
	switch {
	case err == nil:
		t.acknowledged.Add(1)
	case errors.Is(err, mapstore.ErrUnknownOutcome):
		t.unknown.Add(1)
	default:
		t.failed.Add(1)
	}
}

// expectLoad waits until n more transactions of each of these stores have been
// acknowledged.
func expectLoad(ctx context.Context, when string, n int64, members []*member) error {
	marks := make([]int64, len(members))
	for i, m := range members {
		marks[i] = m.acknowledged.Load()
	}
	for i, m := range members {
		err := until(ctx, patience, func() bool { return m.acknowledged.Load() >= marks[i]+n })
		if err != nil {
			return fmt.Errorf("too little load %s: store %s acknowledged %d of %d transactions: %w", when, m.name, m.acknowledged.Load()-marks[i], n, err)
		}
	}
	return nil
}

// until polls cond, for no longer than limit.
func until(ctx context.Context, limit time.Duration, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !cond() {
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
