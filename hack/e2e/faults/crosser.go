package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A crosser is a writer that goes on while time turns back, with a counter of its
// own. What it was told before may be lost with the time itself, and so it counts
// only once every store follows the restored server: from then on each write that
// is acknowledged adds exactly one.
type crosser struct {
	store *mapstore.Store
	key   string
	began atomic.Int64 // writes that were acknowledged before those that count
	acked atomic.Int64 // writes that count

	// Touched by its goroutine, and when that has ended.
	first   int // what the first write that counts has made of the counter
	unknown int // of all writes, as those from before may yet arrive
}

// crossers are those of all stores.
type crossers struct {
	all     []*crosser
	counts  atomic.Bool // writes that are called from now on
	stopped atomic.Bool
	tasks   sync.WaitGroup
}

func (b *testbed) startCrossers() *crossers {
	cs := &crossers{}
	for _, m := range b.members {
		for i := range writersPerStore {
			c := &crosser{store: m.store, key: "crosser-" + m.name + strconv.Itoa(i)}
			cs.all = append(cs.all, c)
			rng := b.newRand()
			cs.tasks.Go(func() {
				for !cs.stopped.Load() {
					c.write(cs.counts.Load())
					time.Sleep(time.Duration(rng.Int64N(int64(2 * b.load.pace)))) // its rate
				}
			})
		}
	}
	return cs
}

func (c *crosser) write(counts bool) {
	n := 0
	_, err := c.store.Update(context.Background(), func(tx *mapstore.Tx) error { // bounded by WriteTimeout
		text, _ := tx.Get(c.key)
		n, _ = strconv.Atoi(text)
		n++
		tx.Set(c.key, strconv.Itoa(n))
		return nil
	})
	switch {
	case errors.Is(err, mapstore.ErrUnknownOutcome):
		c.unknown++
	case err == nil && counts:
		if c.first == 0 {
			c.first = n
		}
		c.acked.Add(1)
	case err == nil:
		c.began.Add(1)
	}
}

// flow waits until all of them write.
func (cs *crossers) flow(ctx context.Context) error {
	for _, c := range cs.all {
		if err := until(ctx, patience, func() bool { return c.began.Load() >= enough/2 }); err != nil {
			return fmt.Errorf("%s was acknowledged only %d writes: %w", c.key, c.began.Load(), err)
		}
	}
	return nil
}

// judge lets the crossers write for a while, and holds their counters to what they
// were told.
func (cs *crossers) judge(ctx context.Context, b *testbed) error {
	cs.counts.Store(true)
	for _, c := range cs.all {
		if err := until(ctx, patience, func() bool { return c.acked.Load() >= 2*enough }); err != nil {
			return fmt.Errorf("%s was acknowledged %d writes of %d after the restore: %w", c.key, c.acked.Load(), 2*enough, err)
		}
	}
	cs.stop()
	object, err := b.admin.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range cs.all {
		n, _ := strconv.Atoi(object.Data[c.key])
		if least := c.first + int(c.acked.Load()) - 1; n < least || n > least+c.unknown {
			err = errors.Join(err, fmt.Errorf("%s is %d after the restore, want %d, or up to %d more", c.key, n, least, c.unknown))
		}
	}
	return err
}

// stop returns once the last write has its outcome.
func (cs *crossers) stop() {
	cs.stopped.Store(true)
	cs.tasks.Wait()
}
