package rig

import (
	"context"
	"time"
)

// Patience is how long something may take that is bound to happen, however slow
// the machine.
const Patience = time.Minute

// Until waits until cond holds, for no longer than limit. It looks once more when that is over,
// as it may not have run for a while.
func Until(ctx context.Context, limit time.Duration, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !cond() {
		if err := Pause(ctx, 2*time.Millisecond); err != nil && !cond() { // polls
			return err
		}
	}
	return nil
}

// Pause waits for d, unless ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
