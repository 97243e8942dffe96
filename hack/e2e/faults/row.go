package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/e2e/checker"
	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A row is one fault of the matrix, and what the stores have to make of it.
type row struct {
	name     string
	longOnly bool // left out of the short form

	// Where it happens.
	plane  planeKind
	wired  bool // a TCP proxy lies between each store and the API server
	spared bool // the last store is without the fault
	quiet  bool // the affected stores only read
	idle   bool // nobody writes while the fault lasts
	split  bool // of two API servers the affected stores are at the first, the spared one at the second; by no balancer
	stores mapstore.Options
	user   func(context.Context, *testbed) (*rest.Config, error) // who the stores are; nil: the administrator
	way    func(*testbed, *member, *rest.Config) error           // in the client itself; a store with one has no network

	// What happens. The fault holds for the first time in the long form, and for
	// the second in the short one. A row with special has no such cycles.
	fault   fault
	hold    [2]time.Duration
	special func(context.Context, *testbed) error

	// What is expected besides that nothing is lost, doubled or torn.
	cuts   bool                                  // the affected stores notice it
	notice time.Duration                         // within this time; 0: at all
	flows  bool                                  // their writes go on meanwhile
	during func(context.Context, *testbed) error // what holds when they have noticed it
	fresh  time.Duration                         // bound of the time to fresh; 0: freshWithin
	inside bool                                  // fresh is measured while the fault lasts
	proof  proof                                 // that it really happens
	told   bool                                  // of the outcomes at most unknownShare stay unknown: the ledger tells
	noLoss bool                                  // no answer is lost, so no outcome is unknown
}

const (
	// freshWithin is how long after a fault each store has to be up to date.
	freshWithin = maxBackoff + time.Second

	// unknownShare is how many outcomes may stay unknown although there is a
	// ledger, because others have committed too often meanwhile.
	unknownShare = 0.02

	// killNoticedWithin is how long after a kill each store has to say so.
	killNoticedWithin = 2 * time.Second

	// slack is added to these and all other such times in the short form, which runs
	// on any machine, whatever else that has to do. Where a mechanism is missing that
	// keeps a time, it takes longer still.
	slack = 15 * time.Second
)

// A result is what came of a row.
type result struct {
	name       string
	production bool // on a control plane as in production

	acknowledged, unknown, failed, lost, doubled, versions int

	noticed  time.Duration // by the slowest store in the slowest round; 0: not measured
	fresh    time.Duration // likewise
	gaps     gaps          // likewise
	evidence string
	took     time.Duration
	err      error
}

// add adds what a record has shown.
func (r *result) add(report checker.Report) {
	r.acknowledged += report.Acknowledged
	r.unknown += report.Unknown
	r.failed += report.Failed
	r.lost += report.Lost
	r.doubled += report.Doubled
	r.versions += report.Versions
}

// Settings are what a run of the matrix is given.
type settings struct {
	seed   uint64
	rounds int
	short  bool // in tests: shorter faults, fewer rows
	family bool // the stores are those of families, one each
}

// execute runs the row.
func (r *row) execute(ctx context.Context, planes *planes, s settings) (res result) {
	began := time.Now()
	defer func() { res.took = time.Since(began) }()
	res.name, res.production = r.name, r.plane.isReplicated()
	plane, release, err := planes.get(ctx, r.plane)
	defer release()
	if err != nil {
		res.err = err
		return res
	}
	began = time.Now() // without the wait for the plane

	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute+time.Duration(s.rounds)*(r.duration(s)+3*time.Minute), errors.New("the row takes too long"))
	defer cancel()
	b, err := newTestbed(ctx, plane, r, s, &res)
	if err != nil {
		res.err = err
		return res
	}
	defer b.close()
	if err := r.run(ctx, b); err != nil {
		res.err = err
	}
	res.err = errors.Join(res.err, b.conclude(ctx))
	if limit := int(unknownShare * float64(res.acknowledged)); r.told && res.unknown > limit {
		res.err = errors.Join(res.err, fmt.Errorf("%d outcomes unknown, not at most %d, though the ledger was there to tell", res.unknown, limit))
	}
	if r.noLoss && res.unknown > 0 {
		res.err = errors.Join(res.err, fmt.Errorf("%d outcomes unknown, though no answer was lost", res.unknown))
	}
	return res
}

func (r *row) run(ctx context.Context, b *testbed) error {
	if r.special != nil {
		return r.special(ctx, b)
	}
	for range b.settings.rounds {
		if err := r.round(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// bound returns how long something may take that the row is to take d for.
func (s settings) bound(d time.Duration) time.Duration {
	if s.short {
		return d + slack
	}
	return d
}

func (r *row) duration(s settings) time.Duration {
	if s.short {
		return r.hold[1]
	}
	return r.hold[0]
}

// round lets the fault come and go once.
func (r *row) round(ctx context.Context, b *testbed) (err error) {
	if err := expectLoad(ctx, "before the fault", enough, b.writers()); err != nil {
		return err
	}
	// The moment is drawn from the seed.
	if err := rig.Pause(ctx, time.Duration(b.newRand().IntN(500))*time.Millisecond); err != nil {
		return err
	}
	before := r.proof.count(b)
	begin := time.Now()
	gapsUntilNow := b.measureGaps()
	defer func() {
		g := gapsUntilNow()
		b.result.gaps = gaps{max(b.result.gaps.writes, g.writes), max(b.result.gaps.copies, g.copies)}
	}()
	lift, err := r.fault(ctx, b)
	if err != nil {
		return fmt.Errorf("injecting: %w", err)
	}
	lifted := false
	defer func() {
		if !lifted { // whatever has failed, the plane is not left broken
			err = errors.Join(err, lift(context.WithoutCancel(ctx)))
		}
	}()
	if err := r.endure(ctx, b, begin); err != nil {
		return err
	}
	if err := r.proof.await(ctx, b, before); err != nil {
		return err
	}
	if r.inside {
		if err := b.expectFresh(ctx, r.fresh); err != nil {
			return err
		}
	}
	lifted = true
	if err := lift(ctx); err != nil {
		return fmt.Errorf("lifting: %w", err)
	}
	if !r.inside {
		if err := b.expectFresh(ctx, cmp.Or(r.fresh, freshWithin)); err != nil {
			return err
		}
	}
	return expectLoad(ctx, "after the fault", enough, b.writers())
}

// endure lets the fault last, and checks what holds meanwhile.
func (r *row) endure(ctx context.Context, b *testbed, begin time.Time) error {
	if r.cuts {
		if err := b.expectNoticed(ctx, begin, r.notice); err != nil {
			return err
		}
	}
	if r.flows {
		if err := expectLoad(ctx, "during the fault", enough/2, b.affected()); err != nil {
			return err
		}
	}
	if r.during != nil {
		if err := r.during(ctx, b); err != nil {
			return err
		}
	}
	return rig.Pause(ctx, time.Until(begin.Add(r.duration(b.settings))))
}
