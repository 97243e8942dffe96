package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// Gaps are the longest times of the affected stores: without an acknowledged write, and with a
// copy that lacked a version which the witness, or another store, had already seen.
type gaps struct{ writes, copies time.Duration }

// measureGaps measures from now on until the function that it returns is called.
func (b *testbed) measureGaps() (end func() gaps) {
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	var worst gaps
	var mu sync.Mutex // protects worst
	for _, m := range b.affected() {
		g := gauge{member: m, writes: !b.row.quiet && !b.row.idle, wrote: time.Now(), latest: b.latest(b.run)}
		tasks.Go(func() {
			for rig.Pause(ctx, 5*time.Millisecond) == nil {
				g.look(time.Now())
			}
			g.look(time.Now())
			mu.Lock()
			defer mu.Unlock()
			worst.writes, worst.copies = max(worst.writes, g.longest.writes), max(worst.copies, g.longest.copies)
		})
	}
	return func() gaps {
		cancel()
		tasks.Wait()
		return worst
	}
}

// latest returns the newest revision that anybody has seen: the witness may itself watch by a member
// of etcd that is cut off.
func (b *testbed) latest(run *checker.Run) func() int64 {
	return func() int64 {
		latest := run.Latest()
		for _, m := range b.members {
			if has, err := revisionOf(m); err == nil {
				latest = max(latest, has)
			}
		}
		return latest
	}
}

func revisionOf(m *member) (int64, error) {
	return strconv.ParseInt(m.store.Snapshot().Revision(), 10, 64)
}

// A gauge looks at one store again and again.
type gauge struct {
	member  *member
	writes  bool
	latest  func() int64 // the newest revision of the map
	longest gaps

	acknowledged int64
	wrote        time.Time // when that had become more

	missing int64     // a revision that the copy lacked, 0: none
	since   time.Time // when that was seen first
}

func (g *gauge) look(now time.Time) {
	if n := g.member.Acknowledged.Load(); n != g.acknowledged {
		g.acknowledged, g.wrote = n, now
	} else if g.writes {
		g.longest.writes = max(g.longest.writes, now.Sub(g.wrote))
	}
	has, err := revisionOf(g.member)
	if err != nil { // there is no map, or no copy
		g.missing = 0
		return
	}
	if g.missing > 0 {
		g.longest.copies = max(g.longest.copies, now.Sub(g.since))
		if has >= g.missing {
			g.missing = 0
		}
	}
	if latest := g.latest(); g.missing == 0 && has < latest {
		g.missing, g.since = latest, now
	}
}
