package backoff

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
		b := New(limit)
		ctx, cancel := context.WithCancelCause(t.Context())
		longest := time.Duration(0)
		for range 40 {
			began := time.Now()
			if err := b.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(began))
		}
		if longest > limit || longest < limit/2 {
			t.Errorf("the longest of 40 delays was %v, want it near %v", longest, limit)
		}
		cause, began := errors.New("cause"), time.Now()
		cancel(cause)
		if err := b.Wait(ctx); !errors.Is(err, cause) || time.Since(began) > 0 {
			t.Errorf("%v after %v, want the cause at once", err, time.Since(began))
		}
	})
}
