package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// The keys of the map.
const (
	counter = "counter" // how many updates there were
	stale   = "stale"   // how many of them a leader made whose successor had begun
	epoch   = "epoch"   // how many terms have begun: the fencing token of the newest
	report  = "report"  // who has concluded the newest round
)

// errDeposed is what a leader gets that has a successor.
var errDeposed = errors.New("a newer term has begun")

// begin begins a term, and returns its fencing token. All earlier ones are void.
func (r *replica) begin(ctx context.Context) (mine int, err error) {
	_, err = r.store.Update(ctx, func(tx *mapstore.Tx) error {
		mine, err = increment(tx, epoch)
		return err
	})
	return mine, err
}

// add needs no leader: whoever else writes meanwhile, this counts once.
func (r *replica) add(ctx context.Context, mine int) error {
	_, err := r.store.Update(ctx, func(tx *mapstore.Tx) error {
		newest, err := number(tx, epoch)
		if err == nil && newest != mine {
			_, err = increment(tx, stale)
		}
		if err == nil {
			_, err = increment(tx, counter)
		}
		return err
	})
	return err
}

// conclude must not come between the updates of a newer leader's round, so it takes
// effect only while no newer term has begun. The check and the write are one
// transaction: no pause fits between them.
func (r *replica) conclude(ctx context.Context, mine int) error {
	_, err := r.store.Update(ctx, func(tx *mapstore.Tx) error {
		newest, err := number(tx, epoch)
		if err == nil && newest != mine {
			return errDeposed
		}
		tx.Set(report, r.id)
		return err
	})
	return err
}

func increment(tx *mapstore.Tx, key string) (int, error) {
	n, err := number(tx, key)
	tx.Set(key, strconv.Itoa(n+1))
	return n + 1, err
}

// number returns 0 for a key that is absent.
func number(tx *mapstore.Tx, key string) (int, error) {
	value, ok := tx.Get(key)
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil { // not shown, as it quotes the value
		return 0, fmt.Errorf("the value of %q is not a number", key)
	}
	return n, nil
}
