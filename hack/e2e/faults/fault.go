package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// A fault begins, and returns what ends it.
type fault func(context.Context, *testbed) (lift func(context.Context) error, err error)

// lasting is a fault that begins, and ends.
func lasting(begin, end func(context.Context, *testbed) error) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		return func(ctx context.Context) error { return end(ctx, b) }, begin(ctx, b)
	}
}

// each does something to each affected store.
func each(do func(*member)) func(context.Context, *testbed) error {
	return func(_ context.Context, b *testbed) error {
		for _, m := range b.affected() {
			do(m)
		}
		return nil
	}
}

func nothing(context.Context, *testbed) error { return nil }

// both lets two faults happen at once: the second begins last, and ends first.
func both(first, second fault) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		liftFirst, err := first(ctx, b)
		if err != nil {
			return nil, err
		}
		liftSecond, err := second(ctx, b)
		if err != nil {
			return nil, errors.Join(err, liftFirst(ctx))
		}
		return func(ctx context.Context) error { return errors.Join(liftSecond(ctx), liftFirst(ctx)) }, nil
	}
}

// again is a fault that strikes every now and then, with this time between two
// on average. It is no fault if it never succeeds.
func again(every time.Duration, strike func(ctx context.Context, b *testbed, n int) error) fault {
	return func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		ctx, cancel := context.WithCancel(ctx)
		rng := b.newRand()
		var task sync.WaitGroup
		var struck atomic.Int64
		var failure error
		task.Go(func() {
			for n := 0; rig.Pause(ctx, every/2+time.Duration(rng.Int64N(int64(every)))) == nil; n++ {
				if err := strike(context.WithoutCancel(ctx), b, n); err != nil {
					failure = err
					continue
				}
				struck.Add(1)
			}
		})
		return func(ctx context.Context) error {
			err := rig.Until(ctx, rig.Patience, func() bool { return struck.Load() >= 3 })
			cancel()
			task.Wait()
			b.note(fmt.Sprintf("%d times", struck.Load()))
			if err != nil {
				return fmt.Errorf("the fault struck only %d times: %w", struck.Load(), errors.Join(err, failure))
			}
			return nil
		}, nil
	}
}

// A proof that a fault really happens is that what it counts becomes more while
// the fault lasts. The zero value asks for nothing.
type proof struct {
	of      string
	figure  func(*testbed) int64
	atLeast int64
}

func (p proof) count(b *testbed) int64 {
	if p.figure == nil {
		return 0
	}
	return p.figure(b)
}

func (p proof) await(ctx context.Context, b *testbed, before int64) error {
	if p.figure == nil {
		return nil
	}
	err := rig.Until(ctx, 3*rig.Patience, func() bool { return p.figure(b)-before >= p.atLeast })
	b.note(fmt.Sprintf("%d %s", p.figure(b)-before, p.of))
	if err != nil {
		return fmt.Errorf("the fault does not happen: %d %s, want %d: %w", p.figure(b)-before, p.of, p.atLeast, err)
	}
	return nil
}

// ofAffected adds up a figure of the affected stores.
func ofAffected(figure func(*member) int64) func(*testbed) int64 {
	return func(b *testbed) int64 {
		var n int64
		for _, m := range b.affected() {
			n += figure(m)
		}
		return n
	}
}
