package checker

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Client is a store that is recorded. Its methods do what the store's do, and
// may be called from any goroutine.
type Client struct {
	run     *Run
	name    string
	markKey string
	store   *mapstore.Store

	mu        sync.Mutex // protects followers
	followers []*follower
}

// Update is the store's Update; fn sees the marks too.
func (c *Client) Update(ctx context.Context, fn func(*mapstore.Tx) error) error {
	t := &transaction{client: c.name}
	return c.transact(ctx, t, func(tx *mapstore.Tx, before contents) error {
		if err := fn(tx); err != nil {
			return err
		}
		tx.Set(c.markKey, mark{c.run.nonce, t.id, len(t.runs)}.String())
		t.runs = append(t.runs, transition{before, c.run.pool.take(tx.All())})
		return nil
	})
}

// Look is a transaction that reads the whole map and changes nothing.
func (c *Client) Look(ctx context.Context) error {
	t := &transaction{client: c.name, readOnly: true}
	return c.transact(ctx, t, func(_ *mapstore.Tx, before contents) error {
		t.runs = append(t.runs, transition{before, before})
		return nil
	})
}

func (c *Client) transact(ctx context.Context, t *transaction, fn func(tx *mapstore.Tx, before contents) error) error {
	c.run.add(func(rec *record) {
		t.id = len(rec.transactions)
		rec.transactions = append(rec.transactions, t)
	})
	t.call = c.run.clock.now()
	defer func() {
		if t.ret == 0 { // fn has panicked
			t.ret = c.run.clock.now()
		}
	}()

	var refusal error // of fn's last run
	snapshot, err := c.store.Update(ctx, func(tx *mapstore.Tx) error {
		refusal = nil
		before := c.run.pool.take(tx.All())
		if refusal = fn(tx, before); refusal != nil {
			t.saw = before
		}
		return refusal
	})
	t.ret, t.err = c.run.clock.now(), err
	switch {
	case err == nil:
		t.outcome = acknowledged
		t.view = c.run.view(snapshot)
	case errors.Is(err, mapstore.ErrUnknownOutcome):
		t.outcome = unknown
	default:
		t.aborted = refusal != nil && errors.Is(err, refusal)
	}
	switch {
	case !t.readOnly:
		c.run.ended[t.outcome].Add(1)
	case t.outcome == acknowledged:
		c.run.looks.Add(1)
	}
	return err
}

// Set makes value the value of key.
func (c *Client) Set(ctx context.Context, key, value string) error {
	return c.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set(key, value)
		return nil
	})
}

// Delete removes key.
func (c *Client) Delete(ctx context.Context, key string) error {
	return c.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Delete(key)
		return nil
	})
}

// Clear removes all keys; what is left is the mark of this call.
func (c *Client) Clear(ctx context.Context) error {
	return c.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Clear()
		return nil
	})
}

// Sync is a linearizable read of the whole map.
func (c *Client) Sync(ctx context.Context) error {
	call := c.run.clock.now()
	snapshot, err := c.store.Sync(ctx)
	ret := c.run.clock.now()
	if err != nil {
		return err
	}
	r := read{c.name, span{call, ret}, c.run.view(snapshot)}
	c.run.add(func(rec *record) { rec.syncs = append(rec.syncs, r) })
	return nil
}

// Read is a local read of the whole map.
func (c *Client) Read() *mapstore.Snapshot {
	call := c.run.clock.now()
	snapshot := c.store.Snapshot()
	ret := c.run.clock.now()
	r := read{c.name, span{call, ret}, c.run.view(snapshot)}
	c.run.add(func(rec *record) { rec.reads = append(rec.reads, r) })
	return snapshot
}

// Follow holds one more subscription of the store to what is promised of them,
// until stop is called or the run ends.
func (c *Client) Follow(filters ...mapstore.Filter) (stop func()) {
	f := &follower{run: c.run, chain: chain{client: c.name, filtered: len(filters) > 0, passes: func(key string) bool {
		return len(filters) == 0 || slices.ContainsFunc(filters, func(passes mapstore.Filter) bool { return passes(key) })
	}}}
	f.subscription = c.store.OnChange(f.take, filters...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.followers = append(c.followers, f)
	return f.leave
}

// stop ends the subscriptions, and returns what they were told.
func (c *Client) stop() []chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	var chains []chain
	for _, f := range c.followers {
		f.stop()
		chains = append(chains, f.chain) // no callback runs any more
	}
	return chains
}
