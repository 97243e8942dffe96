package checker

import (
	"fmt"
	"testing"
	"time"
)

// chainOf is a history of n transactions, each on top of the one before, by
// several clients whose calls overlap, with a Sync beside each.
func chainOf(n int) *history {
	h := &history{nonce: "test", versions: []version{{revision: 1}}}
	var pool pool
	before := contents("")
	for i := range n {
		entries := map[string]string{"n": fmt.Sprint(i + 1)}
		for slot := range 8 {
			if last := i - (i-slot+8)%8; last >= 0 {
				entries[fmt.Sprintf("checker.0.%d", slot)] = fmt.Sprintf("test.%d.0", last)
			}
		}
		after := pool.takeMap(entries)
		at := int64(10 * i)
		h.transactions = append(h.transactions, &transaction{
			client: fmt.Sprint(i % 8), id: i, span: span{at - 35, at + 35}, outcome: acknowledged,
			runs: []transition{{before, after}}, view: view{int64(i + 2), true, "one", after},
		})
		h.syncs = append(h.syncs, read{fmt.Sprint(i % 8), span{at - 5, at + 5}, view{int64(i + 2), true, "one", after}})
		h.versions = append(h.versions, version{revision: int64(i + 2), exists: true, uid: "one", contents: after, observed: at + 1})
		before = after
	}
	return h
}

func TestLongHistoriesAreDecidedInTime(t *testing.T) {
	const n = 10_000
	clean, broken := chainOf(n), chainOf(n)
	// The order of two calls that do not overlap is turned round, at the very end.
	a, b := broken.transactions[n-12], broken.transactions[n-2]
	a.span, b.span = b.span, a.span
	for _, row := range []struct {
		h    *history
		want string
	}{{clean, linearizable}, {broken, notLinearizable}} {
		start := time.Now()
		if got := row.h.linearize(row.h.land()); got != row.want {
			t.Errorf("%s, want %s", got, row.want)
		}
		t.Logf("%s: %d operations in %v", row.want, 2*n, time.Since(start))
	}
}
