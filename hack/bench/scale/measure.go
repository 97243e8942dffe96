package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Measure measures what a map costs, in minutes, or in seconds if it is to be quick. It
// restarts the API server of the rig, unless it is quick.
func Measure(ctx context.Context, r *rig.Rig, quick bool, say func(format string, args ...any)) (*Result, error) {
	result := &Result{Maps: maps(0, 1, 10, 30, 100, 300, 1000)}
	window, most := time.Second, 100
	if quick {
		result.Maps = maps(0, 1, 4)
		window, most = 50*time.Millisecond, 3
	}
	for i := range result.Maps {
		m := &meter{Map: &result.Maps[i], Rig: r, most: most}
		say("%d of %d: %s", i+1, len(result.Maps), m)
		if !quick { // memory then is this map's alone
			if err := r.Plane.APIServer.Restart(ctx); err != nil {
				return nil, err
			}
		}
		if err := m.measure(ctx, window, say); err != nil {
			return nil, fmt.Errorf("scale: %s: %w", m, err)
		}
	}
	numbers, changes := []int{1, 10, 100, 1000, 10_000}, 200
	if quick {
		numbers, changes = []int{1, 3}, 2
	}
	var err error
	if result.Crowds, err = Crowds(ctx, r, numbers, changes, window, say); err != nil {
		return nil, err
	}
	say("a map that is in no family")
	result.Foreign, err = Foreign(ctx, r, most, 4*changes, window)
	return result, err
}

// A meter measures one map.
type meter struct {
	*Map
	*rig.Rig
	most    int // changes in a row
	server  *server
	store   *mapstore.Store
	written int // so that each change differs from the one before
}

func (m *meter) measure(ctx context.Context, window time.Duration, say func(format string, args ...any)) error {
	if err := m.Create(ctx, mapName, 0, 0); err != nil {
		return err
	}
	process, err := m.Process(ctx, mapName)
	if err != nil {
		return err
	}
	defer process.Close()
	m.store = process.Store
	_, err = m.store.Update(ctx, func(tx *mapstore.Tx) error {
		for i := range m.Keys {
			tx.Set(rig.Key(i), value(i, m.ValueBytes))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.server, err = newServer(ctx, process.Client, window); err != nil {
		return err
	}
	c := newCrowd(m.Rig)
	defer c.close()
	for i := range m.Rows {
		say("    %d watchers", m.Rows[i].Watchers)
		if err := m.row(ctx, c, &m.Rows[i]); err != nil {
			return fmt.Errorf("%d watchers: %w", m.Rows[i].Watchers, err)
		}
	}
	return nil
}

// row measures one number of watchers.
func (m *meter) row(ctx context.Context, c *crowd, r *Row) error {
	err := c.grow(ctx, r.Watchers, m.store.Snapshot().Revision())
	if err != nil {
		return err
	}
	if r.Live, err = m.server.live(ctx); err != nil {
		return err
	}
	n, sent, began := m.changes(r.Watchers, m.most), 0, time.Now()
	spent, err := m.server.spent(ctx, func() error {
		for range n {
			began := time.Now()
			if err := m.change(ctx); err != nil {
				return err
			}
			last, bytes, err := c.await(ctx)
			if err != nil {
				return err
			}
			r.Took = append(r.Took, last.Sub(began))
			sent += bytes
		}
		return nil
	})
	spent -= m.server.share * time.Since(began).Seconds()
	// What cannot be told from nothing is half a tick for all.
	r.CPU = max(spent, tick/2) / float64(n)
	r.Sent = float64(sent) / float64(n*max(r.Watchers, 1))
	return err
}

func (m *meter) change(ctx context.Context) error {
	m.written++
	return m.store.Set(ctx, rig.Key(m.written%m.Keys), value(1_000_000+m.written, m.ValueBytes))
}

// value returns one that differs from that of another i, and that is compressed about as
// far as text is: large answers, though no watches, are compressed.
func value(i, bytes int) string {
	random := rand.NewPCG(uint64(i), 0) //nolint:gosec // not below 0
	text := make([]byte, 0, bytes+16)
	for len(text) < bytes {
		text = fmt.Appendf(text, "%016x", random.Uint64())
	}
	return string(text[:bytes])
}
