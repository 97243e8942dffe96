package rig

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Increment is the transaction that loses updates wherever they can be lost. A key
// that is absent, or holds nonsense, counts as zero.
func Increment(key string) func(*mapstore.Tx) error { return Add(key, 1) }

// Add adds n to the number under key.
func Add(key string, n int) func(*mapstore.Tx) error {
	return func(tx *mapstore.Tx) error {
		value, _ := tx.Get(key)
		was, _ := strconv.Atoi(value)
		tx.Set(key, strconv.Itoa(was+n))
		return nil
	}
}

// A Tally counts what became of transactions.
type Tally struct {
	Acknowledged, Unknown, Failed atomic.Int64
}

// Count counts one that has returned err.
func (t *Tally) Count(err error) {
	switch {
	case err == nil:
		t.Acknowledged.Add(1)
	case errors.Is(err, mapstore.ErrUnknownOutcome):
		t.Unknown.Add(1)
	default:
		t.Failed.Add(1)
	}
}

// Check compares a counter with the increments that were tallied: each acknowledged
// one is in it once, each unknown one at most once, and no other.
func (t *Tally) Check(counter int64) error {
	acknowledged, unknown := t.Acknowledged.Load(), t.Unknown.Load()
	switch {
	case counter < acknowledged:
		return fmt.Errorf("updates were lost: the counter is %d after %d acknowledged increments", counter, acknowledged)
	case counter > acknowledged+unknown:
		return fmt.Errorf("increments were doubled: the counter is %d after %d acknowledged and %d unknown ones", counter, acknowledged, unknown)
	case acknowledged == 0:
		return errors.New("no increment was acknowledged: this shows nothing")
	}
	return nil
}
