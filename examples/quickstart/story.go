package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A story has one method a step. Each shows something, and returns an error when
// it is not as it should be.
type story struct {
	options
	console *console
	cluster *cluster
	a, b    *mapstore.Store
	feed    *feed // what b is told

	acknowledged  atomic.Int64 // increments of the counter
	outageResults []result
}

// liveChanges: subscribers are told what changed, key by key.
func (s *story) liveChanges(ctx context.Context) error {
	s.console.say("A writes. B prints what it is told, key by key.")
	for _, write := range []struct {
		call string
		do   func() error
	}{
		{"Set log-level info", func() error { return s.a.Set(ctx, "log-level", "info") }},
		{"Set rate-limit 100", func() error { return s.a.Set(ctx, "rate-limit", "100") }},
		{"Set log-level debug", func() error { return s.a.Set(ctx, "log-level", "debug") }},
		{"Delete rate-limit", func() error { return s.a.Delete(ctx, "rate-limit") }},
	} {
		s.console.act("A", write.call)
		if err := write.do(); err != nil {
			return err
		}
		if err := s.shown(ctx); err != nil {
			return err
		}
	}
	return nil
}

// shown waits until b's subscriber has printed everything that a knows of.
func (s *story) shown(ctx context.Context) error {
	_, err := s.feed.reach(ctx, s.a.Snapshot().Revision())
	s.pause(ctx, 1)
	return err
}

// transactions: writers of one key do not lose each other's updates.
func (s *story) transactions(ctx context.Context) error {
	s.console.say("50 goroutines in A and 50 in B each add one to the same counter. " +
		"B is told less often: transactions that wait share a request, and a " +
		"subscriber goes straight to the newest version.")
	inA := func(ctx context.Context) error { return s.increment(ctx, s.a) }
	inB := func(ctx context.Context) error { return s.increment(ctx, s.b) }
	start := time.Now()
	err := together(ctx, slices.Repeat([]task{inA, inB}, 50)...)
	took := time.Since(start)
	if err != nil {
		return err
	}
	if _, err := s.a.Sync(ctx); err != nil {
		return err
	}
	if value, _ := s.a.Get(counter); value != "100" {
		return fmt.Errorf("the counter is %s, not 100", value)
	}
	if err := s.shown(ctx); err != nil {
		return err
	}
	s.console.ok("The counter is exactly 100, after %s.", short(took))
	return nil
}

const counter = "counter"

func (s *story) increment(ctx context.Context, store *mapstore.Store) error {
	_, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		value, _ := tx.Get(counter)
		n, err := strconv.Atoi(cmp.Or(value, "0"))
		tx.Set(counter, strconv.Itoa(n+1))
		return err
	})
	if err == nil {
		s.acknowledged.Add(1)
	}
	return err
}

// outsideEdit: whoever can edit the ConfigMap takes part.
func (s *story) outsideEdit(ctx context.Context) error {
	const patch = `{"data":{"log-level":"warn"}}`
	s.console.say("A plain client edits the ConfigMap, as this command would:")
	s.console.quote("kubectl patch cm %s -p '%s'", s.cluster.name, patch)
	start := time.Now()
	if err := s.patch(ctx, patch); err != nil {
		return err
	}
	took := time.Since(start)
	if err := s.shown(ctx); err != nil {
		return err
	}
	s.console.ok("A and B both had it within %s of its being sent.", short(took))
	return nil
}

// patch edits the map as an outsider, and returns once both stores know.
func (s *story) patch(ctx context.Context, patch string) error {
	revision, err := s.cluster.patch(ctx, patch)
	if err != nil {
		return err
	}
	_, errA := s.a.WaitFor(ctx, revision)
	_, errB := s.b.WaitFor(ctx, revision)
	return cmp.Or(errA, errB)
}

// transfers: a transaction's writes arrive together, or none is made.
func (s *story) transfers(ctx context.Context) error {
	s.console.say("Alice gives Bob 30 of her 100: one transaction, two keys.")
	_, err := s.a.Update(ctx, func(tx *mapstore.Tx) error {
		tx.Set("alice", "100")
		tx.Set("bob", "0")
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.shown(ctx); err != nil {
		return err
	}

	s.console.act("A", "transfer 30 from alice to bob")
	paid, err := transfer(ctx, s.a, "alice", "bob", 30)
	if err != nil {
		return err
	}
	change, err := s.feed.reach(ctx, paid.Revision())
	if err != nil {
		return err
	}
	if !slices.Equal(change.Keys(), []string{"alice", "bob"}) {
		return fmt.Errorf("one Change should have both keys, and has %q", change.Keys())
	}
	s.console.ok("Both keys came in one Change: B never saw half a transfer.")
	s.pause(ctx, 2)

	s.console.act("A", "transfer 100 from alice to bob")
	if _, err := transfer(ctx, s.a, "alice", "bob", 100); !errors.Is(err, errNotEnough) {
		return errors.Join(errors.New("a transfer of more than there is did not end as it should"), err)
	}
	now, err := s.a.Sync(ctx)
	if err != nil {
		return err
	}
	if now.Revision() != paid.Revision() {
		return errors.New("a transfer that failed has changed the map")
	}
	s.console.ok("The transaction returned an error (%v), so nothing was written.", errNotEnough)
	return nil
}

var errNotEnough = errors.New("not enough")

func transfer(ctx context.Context, store *mapstore.Store, from, to string, amount int) (*mapstore.Snapshot, error) {
	return store.Update(ctx, func(tx *mapstore.Tx) error {
		fromValue, _ := tx.Get(from)
		toValue, _ := tx.Get(to)
		payer, fromErr := strconv.Atoi(fromValue)
		payee, toErr := strconv.Atoi(toValue)
		if err := cmp.Or(fromErr, toErr); err != nil {
			return err
		}
		if payer < amount {
			return errNotEnough
		}
		tx.Set(from, strconv.Itoa(payer-amount))
		tx.Set(to, strconv.Itoa(payee+amount))
		return nil
	})
}

// pause gives the viewer time for n lines. It ends with ctx, too: what comes next
// returns the error.
func (s *story) pause(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n) * s.pace):
	case <-ctx.Done():
	}
}
