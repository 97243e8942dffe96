package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A round is this many updates, one at each tick.
const (
	round = 20
	tick  = 50 * time.Millisecond
)

// A replica is one of several processes that share a map, and one of which at a
// time does the periodic work.
type replica struct {
	id    string
	store *mapstore.Store
	tell  func(format string, args ...any)
}

// run campaigns for the lease, and leads whenever it holds it, until ctx ends.
func (r *replica) run(ctx context.Context, lock resourcelock.Interface) error {
	ctx, cancel := context.WithCancel(ctx)
	terms := make(chan context.Context) // each ends when the lease is lost
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   3 * time.Second, // short, to be watched; 15 s, 10 s and 2 s are usual
		RenewDeadline:   2500 * time.Millisecond,
		RetryPeriod:     400 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				select {
				case terms <- term:
				case <-term.Done():
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		cancel()
		return err
	}
	var campaign sync.WaitGroup
	campaign.Go(func() {
		for ctx.Err() == nil {
			elector.Run(ctx) // until the lease is lost
		}
	})
	defer campaign.Wait()
	defer cancel()
	for {
		select {
		case term := <-terms:
			if err := r.lead(ctx, term); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// lead works in rounds while term lasts. As in most programs, nothing looks at term in
// the middle of a round: a process that is stopped there goes on when it wakes up, and
// does not know that its lease has gone to another. The election cannot prevent that.
func (r *replica) lead(ctx, term context.Context) error {
	writing := context.WithoutCancel(ctx) // so that the outcome of each write is known
	mine, err := r.begin(writing)
	if err != nil {
		return err
	}
	r.tell("leads %d", mine)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for term.Err() == nil {
		for range round {
			if err := r.add(writing, mine); err != nil {
				return err
			}
			r.tell("added")
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		}
		switch err := r.conclude(writing, mine); {
		case errors.Is(err, errDeposed):
			r.tell("refused")
			return nil
		case err != nil:
			return err
		}
		r.tell("concluded")
	}
	return nil
}
