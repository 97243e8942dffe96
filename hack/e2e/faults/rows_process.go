package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// processRows are about clients that are processes of their own.
func processRows() []row {
	return []row{
		// The pace is slow because the checker keeps everything that is read and written.
		{name: "a client stopped (SIGSTOP); in the long form for 120 s", pace: 150 * time.Millisecond, hold: [2]time.Duration{120 * time.Second, 5 * time.Second}, special: clientStopped},
		{name: "a client killed (SIGKILL) in the middle of writing", special: clientKilled},
	}
}

// clientStopped stops a client for a long time, in which others go on.
func clientStopped(ctx context.Context, b *testbed) error {
	for round := range b.settings.rounds {
		c, err := b.startChild("stopped" + strconv.Itoa(round))
		if err != nil {
			return err
		}
		if err := errors.Join(expectLoad(ctx, "before the stop", enough, b.members), c.expectLoad(ctx, "before the stop")); err != nil {
			return err
		}
		if err := c.signal(sigStop); err != nil {
			return err
		}
		before := b.members[0].acknowledged.Load()
		if err := pause(ctx, b.row.duration(b.settings)); err != nil {
			return err
		}
		if n := b.members[0].acknowledged.Load() - before; n < enough {
			return fmt.Errorf("too little load during the stop: %d of %d transactions", n, enough)
		}
		if err := c.signal(sigCont); err != nil {
			return err
		}
		begin, value, err := b.mark(ctx)
		if err != nil {
			return err
		}
		if err := until(ctx, patience, func() bool { _, ok := c.freshSince(value); return ok }); err != nil {
			return fmt.Errorf("the client is not fresh again: %w", err)
		}
		at, _ := c.freshSince(value)
		b.result.fresh = max(b.result.fresh, at.Sub(begin))
		if b.result.fresh > freshWithin {
			return fmt.Errorf("the client is fresh only after %v", b.result.fresh)
		}
		if err := c.expectLoad(ctx, "after the stop"); err != nil {
			return err
		}
		if err := c.finish(); err != nil {
			return err
		}
		if err := b.checkChild(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// clientKilled kills one client after the other in the middle of writing.
func clientKilled(ctx context.Context, b *testbed) error {
	const kills = 3
	for round := range kills * b.settings.rounds {
		c, err := b.startChild("killed" + strconv.Itoa(round))
		if err != nil {
			return err
		}
		if err := errors.Join(expectLoad(ctx, "before the kill", enough, b.members), c.expectLoad(ctx, "before the kill")); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(b.newRand().IntN(200))*time.Millisecond); err != nil {
			return err
		}
		if err := c.kill(); err != nil {
			return err
		}
		// What it had in flight cannot land any more once others have written.
		if err := expectLoad(ctx, "after the kill", enough, b.members); err != nil {
			return err
		}
		if err := b.checkChild(ctx, c); err != nil {
			return err
		}
	}
	return b.expectFresh(ctx, freshWithin)
}

func (b *testbed) checkChild(ctx context.Context, c *child) error {
	now, err := b.members[0].store.Sync(ctx)
	if err != nil {
		return err
	}
	figures, err := c.check(now)
	b.note(figures)
	return err
}
