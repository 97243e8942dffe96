package main

import (
	"context"
	"sync"
)

// A task is something that may be done beside others.
type task func(context.Context) error

// together runs tasks at the same time and waits for them all. It returns the
// first error, which ends the others' ctx.
func together(ctx context.Context, tasks ...task) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, task := range tasks {
		group.Go(func() {
			if err := task(ctx); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
