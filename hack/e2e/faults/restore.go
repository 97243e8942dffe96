package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// restored lets etcd go back in time. As the checker's witness cannot go with
// it, a record ends before and another begins after it. The load of a record that
// is judged by nobody goes on meanwhile.
func restored(ctx context.Context, b *testbed) error {
	if err := expectLoad(ctx, "before the backup", enough, b.members); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mapstore-faults-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	backup := filepath.Join(dir, "backup")
	if err := b.whileDown(ctx, func() error { return copyDir(b.plane.EtcdDir(), backup) }); err != nil {
		return err
	}
	if err := expectLoad(ctx, "after the backup", enough, b.members); err != nil {
		return err
	}
	if err := b.conclude(ctx); err != nil {
		return err
	}

	resets := make([]atomic.Int64, len(b.members))
	for i, m := range b.members {
		first := true
		subscription := m.store.OnChange(func(change mapstore.Change) {
			if change.Reset && !first {
				resets[i].Add(1)
			}
			first = false
		})
		b.onClose(subscription.Stop)
	}
	turnBack := func(times int64) error {
		err := b.whileDown(ctx, func() error {
			return errors.Join(os.RemoveAll(b.plane.EtcdDir()), copyDir(backup, b.plane.EtcdDir()))
		})
		if err != nil {
			return err
		}
		begin := time.Now()
		for i, m := range b.members {
			if err := rig.Until(ctx, rig.Patience, func() bool { return resets[i].Load() >= times && m.store.Status().Err == nil }); err != nil {
				return fmt.Errorf("store %s has not followed the restored server: %w", m.name, err)
			}
		}
		if b.result.fresh = max(b.result.fresh, time.Since(begin)); b.result.fresh > b.settings.bound(freshWithin) {
			return fmt.Errorf("fresh only after %v", b.result.fresh)
		}
		return nil
	}
	// While nobody writes, what was written before is not seen in conflicts either.
	if err := turnBack(1); err != nil {
		return err
	}
	if err := b.record(ctx); err != nil {
		return err
	}
	b.startLoad(b.load.pace)
	if err := expectLoad(ctx, "before the restore", enough/2, b.members); err != nil {
		return err
	}
	if err := turnBack(2); err != nil {
		return err
	}
	if err := b.count(ctx); err != nil {
		return err
	}

	// That the witness says so when history is lost is part of what all rows rest on.
	b.load.stop()
	if _, err := b.run.Check(ctx); err == nil || !strings.Contains(err.Error(), "gone back in time") {
		return fmt.Errorf("the witness has not noticed the restore: %w", err)
	}
	b.run.Close()
	if err := b.record(ctx); err != nil {
		return err
	}
	b.startLoad(b.load.pace)
	if err := expectLoad(ctx, "after the restore", enough, b.members); err != nil {
		return err
	}
	if err := b.expectFresh(ctx, freshWithin); err != nil {
		return err
	}
	for i, m := range b.members {
		if n := resets[i].Load(); n != 2 {
			return fmt.Errorf("store %s was told of %d Resets", m.name, n)
		}
	}
	b.note("two Resets each, at rest and under load")
	return nil
}

// count lets each store add to a counter of its own, beside a load of which some
// writes were called before time turned back. Those are lost with it; these are not.
func (b *testbed) count(ctx context.Context) error {
	var counting sync.WaitGroup
	tallies := make([]rig.Tally, len(b.members))
	for i, m := range b.members {
		counting.Go(func() {
			for tallies[i].Acknowledged.Load() < enough && ctx.Err() == nil {
				_, err := m.store.Update(ctx, rig.Increment("count-"+m.name))
				tallies[i].Count(err)
			}
		})
	}
	counting.Wait()
	now, err := b.members[0].store.Sync(ctx)
	if err != nil {
		return err
	}
	for i, m := range b.members {
		text, _ := now.Get("count-" + m.name)
		n, _ := strconv.ParseInt(text, 10, 64)
		err = errors.Join(err, tallies[i].Check(n))
	}
	return err
}

// whileDown does something while the control plane is down.
func (b *testbed) whileDown(ctx context.Context, do func() error) error {
	if err := errors.Join(b.plane.APIServer.Kill(), b.plane.Etcd.Kill()); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := b.plane.Etcd.Restart(ctx); err != nil {
		return err
	}
	if err := b.plane.APIServer.Restart(ctx); err != nil {
		return err
	}
	return b.ready(ctx)
}

func copyDir(from, to string) error {
	if output, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, output)
	}
	return nil
}
