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

// A store waits for its turn, but not for authors of the past, nor because somebody
// writes who takes no turns.
func TestAStoreWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &committer{local: newReplica(), turns: ledger.Turns{Author: "US__"}}
		slot := c.turns.Slot.Length()
		revision := 0
		commitBy := func(authors ...ledger.Author) {
			for _, author := range authors {
				revision++
				next := snapshotOf(nil, nil)
				next.revision = strconv.Itoa(revision)
				ids := c.local.load().ledger()
				if author != "" { // somebody who knows of no ledger
					ids = ledger.Parse(ids.With(author.NewID(), 1<<18))
				}
				next.object.Annotations = map[string]string{ledger.Annotation: strings.Join(ids, " ")}
				c.local.install(next, 0)
			}
		}
		expect := func(want time.Duration, when string) {
			t.Helper()
			began := time.Now()
			if err := c.awaitTurn(t.Context()); err != nil || time.Since(began) != want {
				t.Errorf("%s: waited %v, %v, want %v", when, time.Since(began), err, want)
			}
		}
		commitBy("AAAA", "BBBB", "US__")
		past := c.local.load().object
		expect(2*slot, "two others are before it, and do nothing")
		time.Sleep(time.Minute)
		expect(0, "a minute after the last commit")
		commitBy("AAAA", "BBBB", "US__")
		go func() {
			time.Sleep(slot / 2)
			commitBy("AAAA")
			time.Sleep(slot / 2)
			commitBy("BBBB")
		}()
		expect(slot, "the others use their turns")
		synctest.Wait()
		commitBy("AAAA", "US__")
		go func() {
			for range 20 {
				time.Sleep(slot / 4)
				commitBy("")
			}
		}()
		expect(2*slot, "two others, and a foreign writer beside")
		time.Sleep(time.Minute)
		synctest.Wait()

		commitBy("AAAA", "US__")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(ErrClosed)
		if err := c.awaitTurn(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("awaitTurn: %v, want the cause", err)
		}
		c.local = newReplica()
		first := snapshotOf(nil, nil)
		first.object.Annotations = past.Annotations
		c.local.install(first, 0)
		expect(0, "the first version: nobody knows how old it is")
	})
}
