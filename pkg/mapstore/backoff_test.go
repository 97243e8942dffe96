package mapstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestDelaysGrowUpToTheCapAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100 * time.Millisecond
		b := newBackoff(limit)
		longest := time.Duration(0)
		for range 40 {
			start := time.Now()
			if err := b.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(start))
		}
		if longest > limit || longest < limit/2 {
			t.Errorf("the longest of 40 delays was %v, want it near %v", longest, limit)
		}

		cause := errors.New("cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		start := time.Now()
		for range 10 {
			if err := b.wait(ctx); !errors.Is(err, cause) {
				t.Errorf("wait: %v, want the cause", err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("waited %v though ctx had ended", took)
		}
	})
}
