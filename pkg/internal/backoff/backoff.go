// Package backoff has the delays between attempts that fail. It knows nothing of what is attempted.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff yields random delays below a bound that doubles up to a cap. They are
// random so that callers who failed together do not come back together.
type Backoff struct {
	bound time.Duration
	cap   time.Duration
}

// first is the bound at first.
const first = 5 * time.Millisecond

// New returns a Backoff with a cap.
func New(limit time.Duration) *Backoff {
	return &Backoff{bound: min(first, limit), cap: limit}
}

// Next returns the next delay.
func (b *Backoff) Next() time.Duration {
	delay := rand.N(b.bound) + 1
	if b.bound = 2 * b.bound; b.bound > b.cap || b.bound < 0 {
		b.bound = b.cap
	}
	return delay
}

// Wait sleeps for the next delay. If ctx ends first, it returns ctx's cause.
func (b *Backoff) Wait(ctx context.Context) error {
	timer := time.NewTimer(b.Next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
