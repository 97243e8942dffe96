package mapstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// A backoff yields random delays below a bound that doubles up to a cap. They are
// random so that callers who failed together do not come back together.
type backoff struct {
	bound time.Duration
	cap   time.Duration
}

const firstBackoff = 5 * time.Millisecond

func newBackoff(limit time.Duration) *backoff {
	return &backoff{bound: min(firstBackoff, limit), cap: limit}
}

// next returns the next delay.
func (b *backoff) next() time.Duration {
	delay := rand.N(b.bound) + 1
	if b.bound = 2 * b.bound; b.bound > b.cap || b.bound < 0 {
		b.bound = b.cap
	}
	return delay
}

// wait sleeps for the next delay. If ctx ends first, it returns ctx's cause.
func (b *backoff) wait(ctx context.Context) error {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
