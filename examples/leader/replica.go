//go:build unix

package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// errDeposed is what a leader gets that has a successor.
var errDeposed = errors.New("a newer term has begun")

// campaign waits until nobody leads, and begins a term. The number of the term is a fencing
// token: it makes all earlier ones void.
func campaign(ctx context.Context, store *mapstore.Store) (term string, err error) {
	for {
		// A leader writes all the time. Two seconds of silence, by this process's clock, end
		// its term; here they are few, to be watched.
		before := store.Snapshot()
		patience, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := store.WaitUntil(patience, func(now *mapstore.Snapshot) bool {
			return get(now, "counter") != get(before, "counter")
		})
		cancel()
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		_, err = store.Update(ctx, func(tx *mapstore.Tx) error {
			if get(tx, "term") != get(before, "term") {
				return errDeposed // another candidate was faster
			}
			term, err = increment(tx, "term")
			return err
		})
		if !errors.Is(err, errDeposed) {
			return term, err
		}
	}
}

// add needs no leader: whoever else writes meanwhile, this counts once.
func add(ctx context.Context, store *mapstore.Store, term string) error {
	_, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		if get(tx, "term") != term {
			if _, err := increment(tx, "late"); err != nil {
				return err
			}
		}
		_, err := increment(tx, "counter")
		return err
	})
	return err
}

// report must not come from a leader that has a successor. The check and the write are one
// transaction: no pause fits between them.
func report(ctx context.Context, store *mapstore.Store, term, id string) error {
	_, err := store.Update(ctx, func(tx *mapstore.Tx) error {
		if get(tx, "term") != term {
			return errDeposed
		}
		tx.Set("report", id)
		return nil
	})
	return err
}

// get returns "" for a key that is absent.
func get(from mapstore.Reader, key string) string {
	value, _ := from.Get(key)
	return value
}

func increment(tx *mapstore.Tx, key string) (string, error) {
	n, err := typed.Int[int]().From(tx, key, 0)
	next := strconv.Itoa(n + 1)
	if err == nil {
		tx.Set(key, next)
	}
	return next, err
}
