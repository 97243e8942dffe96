package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/unrolled/mapstore/v2/hack/bench/load"
	"github.com/unrolled/mapstore/v2/hack/bench/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A meter measures a plan on one control plane.
type meter struct {
	plan
	*rig.Rig
	say             func(format string, args ...any)
	apiServer, etcd *server
	written         int // so that each change differs from the one before
	result          Result
}

// Measure measures what a map costs, in four to six minutes, or in seconds if it is to
// be quick. It restarts the API server of the rig, unless it is quick.
func Measure(ctx context.Context, r *rig.Rig, isQuick bool, say func(format string, args ...any)) (*Result, error) {
	m := &meter{plan: full(), Rig: r, say: say}
	if isQuick {
		m.plan = quick()
	}
	m.result.Quick = isQuick
	for i, s := range m.series {
		say("%d of %d: %s", i+1, len(m.series), s)
		if err := m.measure(ctx, s); err != nil {
			return nil, fmt.Errorf("scale: %s: %w", s, err)
		}
	}
	// What is measured later to check the rest is read in its place.
	slices.SortFunc(m.result.Alone, func(a, b Alone) int { return a.Bytes() - b.Bytes() })
	slices.SortFunc(m.result.Returns, func(a, b Return) int { return a.Bytes() - b.Bytes() })
	say("the writers' limit")
	var err error
	m.result.Writers, err = load.Run(ctx, r, load.Plan{Strategy: load.Mapstore, Stores: 1, Writers: 64, For: m.writing})
	return &m.result, err
}

// String says what is measured.
func (s Series) String() string {
	connections, encoding := "connections of their own", "protobuf"
	if s.Shared {
		connections = "shared connections"
	}
	if s.JSON {
		encoding = "JSON"
	}
	return fmt.Sprintf("%d keys x %d B, %s, %s", s.Keys, s.ValueBytes, connections, encoding)
}

// measure measures one series.
func (m *meter) measure(ctx context.Context, s Series) (err error) {
	if m.restart { // memory and history then are this series' alone
		if err := m.Plane.APIServer.Restart(ctx); err != nil {
			return err
		}
	}
	if m.restart || m.apiServer == nil {
		if m.apiServer, m.etcd, err = newServers(ctx, m.Rig); err != nil {
			return err
		}
	}
	if err := m.Create(ctx, mapName, 0, 0); err != nil {
		return err
	}
	client, err := m.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	store, err := m.Store(ctx, client, mapName)
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = store.Update(ctx, func(tx *mapstore.Tx) error {
		for i := range s.Keys {
			tx.Set(rig.Key(i), value(i, s.ValueBytes))
		}
		return nil
	})
	if err != nil {
		return err
	}
	share, err := m.apiServer.idle(ctx, m.window)
	if err != nil {
		return err
	}
	w := &writer{m, store, s, share}
	if s.Alone > 0 {
		if err := w.alone(ctx); err != nil {
			return err
		}
	}
	c, err := newCrowd(m.Rig, s)
	if err != nil {
		return err
	}
	defer c.close()
	for _, number := range s.Watchers {
		if err := w.row(ctx, c, number); err != nil {
			return fmt.Errorf("%d watchers: %w", number, err)
		}
		if number == m.reconnect && !s.Shared && !s.JSON {
			if err := w.comeBack(ctx, c); err != nil {
				return fmt.Errorf("%d watchers come back: %w", number, err)
			}
		}
	}
	if s.Hold > 0 {
		return w.hold(ctx, c)
	}
	return nil
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

// A writer changes the map of one series.
type writer struct {
	*meter
	store *mapstore.Store
	Series
	share float64 // of a core, that the API server takes for itself
}

// change changes the map, and returns when it was sent.
func (w *writer) change(ctx context.Context) (sent time.Time, err error) {
	w.written++
	sent = time.Now()
	return sent, w.store.Set(ctx, rig.Key(w.written%w.Keys), value(1_000_000+w.written, w.ValueBytes))
}

// tick is how exact the kernel says how long a process has been on a processor.
const tick = 0.01

// cpu is what one of n took of the API server, without what it takes for itself and for
// telling. What cannot be told from nothing is half a tick for all.
func (w *writer) cpu(before, after metrics, elapsed time.Duration, n int) float64 {
	return max(after.cpu()-before.cpu()-w.apiServer.scrape-w.share*elapsed.Seconds(), tick/2) / float64(n)
}

// row measures one number of watchers.
func (w *writer) row(ctx context.Context, c *crowd, number int) error {
	if err := c.grow(ctx, number, w.store.Snapshot().Revision()); err != nil {
		return err
	}
	idle, err := w.apiServer.collected(ctx)
	if err != nil {
		return err
	}
	r := Row{Series: w.Series, Watchers: number, Connections: c.connections.Load(), Live: idle.live(), Changes: w.changes(w.Series, number)}
	w.say("    %d watchers, %d changes", number, r.Changes)
	before, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	began, down := time.Now(), c.down.Load()
	for range r.Changes {
		sent, err := w.change(ctx)
		if err != nil {
			return err
		}
		last, err := c.await(ctx)
		if err != nil {
			return err
		}
		r.Last = append(r.Last, last.Sub(sent))
	}
	elapsed := time.Since(began)
	r.Down = float64(c.down.Load()-down) / float64(r.Changes*number)
	after, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	r.CPU, r.Resident = w.cpu(before, after, elapsed, r.Changes), after.resident()
	w.result.Rows = append(w.result.Rows, r)
	return nil
}

// comeBack measures what it costs when all come back.
func (w *writer) comeBack(ctx context.Context, c *crowd) error {
	before, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	began, down, up := time.Now(), c.down.Load(), c.up.Load()
	if err := c.reconnect(ctx, w.store.Snapshot().Revision()); err != nil {
		return err
	}
	elapsed := time.Since(began)
	after, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	n := len(c.watchers)
	w.result.Returns = append(w.result.Returns, Return{
		Series: w.Series, Watchers: n, CPU: w.cpu(before, after, elapsed, n),
		Down: float64(c.down.Load()-down) / float64(n), Up: float64(c.up.Load()-up) / float64(n),
	})
	return nil
}

// hold measures what watchers cost while nobody writes.
func (w *writer) hold(ctx context.Context, c *crowd) error {
	w.say("    %d watchers, idle for %v", len(c.watchers), w.Hold)
	before, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	down, up := c.down.Load(), c.up.Load()
	idle := Idle{Watchers: len(c.watchers), Hold: w.Hold}
	if idle.Bookmarks, err = c.bookmarks(ctx, w.Hold); err != nil {
		return err
	}
	idle.Down, idle.Up = c.down.Load()-down, c.up.Load()-up
	after, err := w.apiServer.metrics(ctx)
	if err != nil {
		return err
	}
	idle.Share, idle.Before = (after.cpu()-before.cpu()-w.apiServer.scrape)/w.Hold.Seconds(), w.share
	w.result.Idle = idle
	return nil
}
