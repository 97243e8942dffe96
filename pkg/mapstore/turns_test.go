package mapstore

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// A store waits for its turn until a version arrives or its time has come.
func TestAStoreWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local := newReplica()
		turns := newTurns(nil, local)
		slot := turns.Slot.Length()
		revision := 0
		commit := func(ids ...string) {
			revision++
			next := snapshotOf(nil, nil)
			next.revision = strconv.Itoa(revision)
			next.object.Annotations = map[string]string{ledger.Annotation: strings.Join(ids, " ")}
			local.install(next, 0)
		}
		expect := func(want time.Duration, when string) {
			t.Helper()
			began := time.Now()
			if err := turns.await(t.Context()); err != nil || time.Since(began) != want {
				t.Errorf("%s: waited %v, %v, want %v", when, time.Since(began), err, want)
			}
			turns.end()
			time.Sleep(time.Minute)
		}
		expect(0, "before anybody has written")
		commit("AAAA+aBCDEFG")
		expect(0, "the first version: nobody knows how old it is")
		expect(0, "a minute after")
		go func() {
			time.Sleep(time.Millisecond)
			commit("AAAA+aHIJKLM", "AAAA+aBCDEFG")
		}()
		synctest.Wait()
		time.Sleep(2 * time.Millisecond)
		expect(slot-time.Millisecond, "somebody writes all the time")
		if got := time.Duration(turns.stoodBack.Load()); got != slot-time.Millisecond {
			t.Errorf("the Stats say that it stood back for %v", got)
		}

		commit("AAAA+aNOPQRS", "AAAA+aHIJKLM")
		time.Sleep(time.Millisecond)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(ErrClosed)
		if err := turns.await(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("await: %v, want the cause", err)
		}
	})
}
