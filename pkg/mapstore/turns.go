package mapstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// Turns carry out what [ledger.Turns] decide: they are its I/O and clock.
type turns struct {
	*ledger.Turns
	remote *remote.Map
	local  *replica

	inTrouble func(error) // called with what asking others to hold back has met

	met       atomic.Pointer[contention] // what the write that waits has met; nil if nothing
	stoodBack atomic.Int64               // nanoseconds, for Stats
}

// A contention is what a write has met of other writers.
type contention struct {
	conflicts int
	stoodBack time.Duration
}

func (c *contention) String() string {
	return fmt.Sprintf("%d conflicts with other writers, stood back for %v", c.conflicts, c.stoodBack.Round(time.Millisecond))
}

func newTurns(remote *remote.Map, local *replica) *turns {
	return &turns{Turns: ledger.NewTurns(ledger.NewAuthor()), remote: remote, local: local}
}

// await blocks until it is the store's turn to write.
func (t *turns) await(ctx context.Context) error {
	began := time.Now()
	for t.Begin(began); ; {
		now := t.local.load()
		turn, until := t.Next(time.Now(), now.sight(), rand.IntN)
		switch turn {
		case ledger.MaySend:
			t.note(0, time.Since(began))
			return nil
		case ledger.Ask:
			t.ask(ctx)
		case ledger.Wait:
			soon, cancel := context.WithDeadline(ctx, until)
			_, _ = t.local.current.Wait(soon, func(next *Snapshot) bool { return next.sequence != now.sequence })
			cancel()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// ask asks the other stores to hold back. It takes no longer than a hold lasts.
func (t *turns) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ledger.MaxHold)
	defer cancel()
	t.Asked(time.Now())
	rewinds := t.local.load().rewinds
	held, err := t.remote.Annotate(ctx, ledger.HoldAnnotation, t.NewHold().String())
	if err != nil {
		t.NotHeld(time.Now(), remote.IsDenied(err))
		if !remote.IsDenied(err) { // a writer may lack that right
			t.inTrouble(err)
		}
		return
	}
	t.local.install(newSnapshot(held), rewinds)
}

// lost notes that an attempt on base has failed because others have written.
func (t *turns) lost(base *Snapshot) {
	now, others := t.local.load(), uint64(1)
	if base.Exists() {
		others = now.sequence - base.sequence
	}
	t.Lost(now.sight(), others)
	t.note(1, 0)
}

// end notes that the write has an outcome.
func (t *turns) end() {
	t.End(time.Now())
	t.met.Store(nil)
}

func (t *turns) note(conflicts int, stoodBack time.Duration) {
	var met contention
	if before := t.met.Load(); before != nil {
		met = *before
	}
	met.conflicts += conflicts
	met.stoodBack += stoodBack
	t.stoodBack.Add(int64(stoodBack))
	t.met.Store(&met)
}
