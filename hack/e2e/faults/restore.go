package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// restored lets etcd go back in time. As the checker's witness cannot go with
// it, a record ends before and another begins after it, and crossers write
// meanwhile.
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
	crossers := b.startCrossers()
	defer crossers.stop()
	if err := crossers.flow(ctx); err != nil {
		return err
	}
	err = b.whileDown(ctx, func() error {
		return errors.Join(os.RemoveAll(b.plane.EtcdDir()), copyDir(backup, b.plane.EtcdDir()))
	})
	if err != nil {
		return err
	}
	begin := time.Now()
	for i, m := range b.members {
		if err := until(ctx, patience, func() bool { return resets[i].Load() > 0 && m.store.Status().Err == nil }); err != nil {
			return fmt.Errorf("store %s has not followed the restored server: %w", m.name, err)
		}
	}
	b.result.fresh = time.Since(begin)
	if b.result.fresh > freshWithin {
		return fmt.Errorf("fresh only after %v", b.result.fresh)
	}
	if err := crossers.judge(ctx, b); err != nil {
		return err
	}

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
		if n := resets[i].Load(); n != 1 {
			return fmt.Errorf("store %s was told of %d Resets", m.name, n)
		}
	}
	b.note("one Reset each, under load")
	return nil
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
