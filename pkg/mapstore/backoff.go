package mapstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// A backoff yields delays that double up to a cap. Each is drawn anew between
// nothing and the current bound, so that those who failed together do not come
// back together.
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

// wait sleeps for the next delay. It returns the cause if ctx ends first.
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
