package scale

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A crowd is many watchers of one map.
type crowd struct {
	*wire
	series   Series
	target   string
	common   *http.Transport // of those that share connections
	watchers []*watcher
	notes    chan note
}

// maxCrowd is more watchers than any crowd has.
const maxCrowd = 10_000

func newCrowd(r *rig.Rig, s Series) (*crowd, error) {
	w, err := newWire(r)
	if err != nil {
		return nil, err
	}
	return &crowd{
		wire: w, series: s, common: w.transport(), notes: make(chan note, maxCrowd),
		target: w.host + "/api/v1/namespaces/" + r.Namespace + "/configmaps",
	}, nil
}

// atOnce bounds how many watchers connect at a time: a thousand handshakes at once are
// another measurement.
const atOnce = 16

// grow adds watchers, up to a number, that watch from a revision.
func (c *crowd) grow(ctx context.Context, number int, revision string) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	if c.series.Shared {
		group.SetLimit(1) // those that find a connection full at the same time would each make one
	}
	for len(c.watchers) < number {
		transport := c.common
		if !c.series.Shared {
			transport = c.transport()
		}
		w := &watcher{
			client: &http.Client{Transport: transport},
			target: c.target, name: mapName, accept: c.series.accept(), notes: c.notes,
		}
		c.watchers = append(c.watchers, w)
		group.Go(func() error { return w.open(ctx, revision) })
	}
	return group.Wait()
}

// reconnect has each watcher end its request, read the map and watch anew, as a store
// does when a watch has timed out; its connection stays.
func (c *crowd) reconnect(ctx context.Context, revision string) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, w := range c.watchers {
		group.Go(func() error {
			w.close()
			if err := w.get(ctx); err != nil {
				return err
			}
			return w.open(ctx, revision)
		})
	}
	return group.Wait()
}

// patience bounds how long a change may take to reach all.
const patience = time.Minute

// await waits until each watcher has seen one change, and returns when the last had.
func (c *crowd) await(ctx context.Context) (last time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for seen := 0; seen < len(c.watchers); {
		select {
		case n := <-c.notes:
			if n.err != nil {
				return last, n.err
			}
			if n.kind == "MODIFIED" {
				seen++
				last = n.at
			}
		case <-ctx.Done():
			return last, fmt.Errorf("%d of %d watchers have not seen a change: %w", len(c.watchers)-seen, len(c.watchers), ctx.Err())
		}
	}
	return last, nil
}

// bookmarks counts those that come in some time in which nobody writes.
func (c *crowd) bookmarks(ctx context.Context, hold time.Duration) (count int, err error) {
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for {
		select {
		case n := <-c.notes:
			if n.err != nil {
				return count, n.err
			}
			if n.kind != "BOOKMARK" {
				return count, fmt.Errorf("scale: %s, though nobody writes", n.kind)
			}
			count++
		case <-timer.C:
			return count, nil
		case <-ctx.Done():
			return count, ctx.Err()
		}
	}
}

// close ends all requests and connections.
func (c *crowd) close() {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, w := range c.watchers {
		group.Go(func() error {
			w.close()
			w.client.CloseIdleConnections()
			return nil
		})
	}
	_ = group.Wait()
}
