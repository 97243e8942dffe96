package mapstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
)

// ledgerOf returns a ledger with a commit of each author, oldest first.
func ledgerOf(authors ...string) string {
	var ids []string
	for _, author := range slices.Backward(authors) {
		ids = append(ids, newCommitID(author))
	}
	return strings.Join(ids, " ")
}

func TestWhoCommittedLongestAgoIsNext(t *testing.T) {
	for name, row := range map[string]struct{ ledger, want string }{
		"nobody":                              {"", ""},
		"one alone":                           {ledgerOf("AAAA", "AAAA", "AAAA"), "AAAA"},
		"a round":                             {ledgerOf("AAAA", "BBBB", "CCCC"), "AAAA BBBB CCCC"},
		"a second round has begun":            {ledgerOf("AAAA", "BBBB", "CCCC", "AAAA"), "BBBB CCCC AAAA"},
		"a turn was passed":                   {ledgerOf("AAAA", "BBBB", "CCCC", "BBBB"), "CCCC BBBB"},
		"who passed has come back":            {ledgerOf("AAAA", "BBBB", "CCCC", "BBBB", "AAAA"), "CCCC BBBB AAAA"},
		"somebody without a place cuts in":    {ledgerOf("AAAA", "BBBB", "XXXX", "AAAA"), "BBBB XXXX AAAA"},
		"one commits again and again":         {ledgerOf("AAAA", "BBBB", "BBBB"), "BBBB"},
		"foreign garbage is only more names":  {"x yy \t zzz", "zzz yy x"},
		"what is beyond the ledger's length":  {ledgerOf(append([]string{"ZZZZ"}, slices.Repeat([]string{"AAAA"}, 32)...)...), "AAAA"},
		"more foreign garbage than it can be": {strings.Repeat("GGGG ", 1000), "GGGG"},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot := withLedger(snapshotOf(nil, nil), 1, 1, row.ledger)
			if got := strings.Join(snapshot.queue(), " "); got != row.want {
				t.Errorf("queue %q, want %q", got, row.want)
			}
		})
	}
}

// versionBy returns the version after now in which author has committed.
func versionBy(author string, now *Snapshot, revision string) *Snapshot {
	next := snapshotOf(nil, nil)
	next.revision = revision
	next.object.Annotations = map[string]string{ledgerAnnotation: now.ledgerWith(newCommitID(author))}
	return next
}

func TestAStoreWaitsOneSlotForEachThatIsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local := newReplica(logr.Discard())
		us := turns{author: "US__"}
		await := func() time.Duration {
			start := time.Now()
			if err := us.await(t.Context(), local); err != nil {
				t.Error(err)
			}
			return time.Since(start)
		}
		if waited := await(); waited != 0 {
			t.Errorf("waited %v on an empty map", waited)
		}
		local.install(versionBy("US__", local.load(), "1"), 0)
		if waited := await(); waited != 0 {
			t.Errorf("waited %v with nobody else", waited)
		}
		local.install(versionBy("AAAA", local.load(), "2"), 0)
		local.install(versionBy("BBBB", local.load(), "3"), 0)
		if waited := await(); waited != 0 {
			t.Errorf("waited %v though it was next", waited)
		}
		local.install(versionBy("US__", local.load(), "4"), 0)
		if waited := await(); waited != 2*firstSlot {
			t.Errorf("waited %v for two others that did nothing, want two slots", waited)
		}

		// When the others use their turns, it is its own as soon as they have.
		local.install(versionBy("AAAA", local.load(), "5"), 0)
		local.install(versionBy("BBBB", local.load(), "6"), 0)
		local.install(versionBy("US__", local.load(), "7"), 0)
		go func() {
			time.Sleep(firstSlot / 2)
			local.install(versionBy("AAAA", local.load(), "8"), 0)
			time.Sleep(firstSlot / 2)
			local.install(versionBy("BBBB", local.load(), "9"), 0)
		}()
		if waited := await(); waited != firstSlot {
			t.Errorf("waited %v, want until both have had their turns", waited)
		}

		// A version that is old already has been waited for.
		local.install(versionBy("US__", local.load(), "10"), 0)
		time.Sleep(time.Minute)
		if waited := await(); waited != 0 {
			t.Errorf("waited %v, a minute after the last commit", waited)
		}
		// Foreign writes do not put it off.
		local.install(versionBy("AAAA", local.load(), "11"), 0)
		local.install(versionBy("US__", local.load(), "12"), 0)
		go func() {
			for i := range 20 {
				time.Sleep(firstSlot / 4)
				foreign := snapshotOf(nil, nil)
				foreign.revision, foreign.object = strconv.Itoa(13+i), local.load().object
				local.install(foreign, 0)
			}
		}()
		if waited := await(); waited != firstSlot {
			t.Errorf("waited %v beside a foreign writer, want one slot", waited)
		}
		time.Sleep(20 * firstSlot)

		ctx, cancel := context.WithCancelCause(t.Context())
		local.install(versionBy("AAAA", local.load(), "41"), 0)
		local.install(versionBy("US__", local.load(), "42"), 0)
		cancel(errGone)
		if err := us.await(ctx, local); !errors.Is(err, errGone) {
			t.Errorf("await: %v, want the cause", err)
		}
	})
}

// Who has just come, and writes once, does not wait for those who came before it
// and are long gone.
func TestTheFirstWriteDoesNotWaitForAuthorsOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone []string
		for range ledgerLength {
			gone = append(gone, newAuthor())
		}
		for range 20 {
			local := newReplica(logr.Discard())
			local.install(withLedger(snapshotOf(nil, nil), 0, 0, ledgerOf(gone...)), 0)
			us := turns{author: "US__"}
			start := time.Now()
			if err := us.await(t.Context(), local); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited != 0 {
				t.Fatalf("waited %v", waited)
			}
		}
	})
}

// A store that has no place tries as often as those that have one, however many
// they are.
func TestAStoreWithoutAPlaceGetsATurn(t *testing.T) {
	us := turns{author: "US__"}
	for _, others := range []int{0, 1, 8} {
		queue := make([]string, others)
		now := 0
		const tries = 4000
		for range tries {
			delay := us.delay(queue)
			if delay > time.Duration(max(others-1, 0))*firstSlot {
				t.Fatalf("delay %v beside %d others", delay, others)
			}
			if delay == 0 {
				now++
			}
		}
		if want := tries / max(others, 1); now < want/2 || now > want*2 {
			t.Errorf("beside %d others it was its turn %d times in %d", others, now, tries)
		}
	}
}

func TestASlotIsALittleMoreThanARequestTakes(t *testing.T) {
	var s slot
	if s.length() != firstSlot {
		t.Errorf("at first %v", s.length())
	}
	for range 50 {
		s.observe(5 * time.Millisecond)
	}
	if got := s.length(); got < 10*time.Millisecond || got > 12*time.Millisecond {
		t.Errorf("%v after steady requests of 5 ms", got)
	}
	for i := range 50 {
		s.observe(time.Duration(1+i%2*10) * time.Millisecond)
	}
	if got := s.length(); got < 20*time.Millisecond {
		t.Errorf("%v after requests between 1 and 11 ms", got)
	}
	for range 50 {
		s.observe(time.Hour)
	}
	if s.length() != maxSlot {
		t.Errorf("%v after requests that took for ever", s.length())
	}
	for range 500 {
		s.observe(time.Microsecond)
	}
	if s.length() != minSlot {
		t.Errorf("%v after requests that took no time", s.length())
	}
}
