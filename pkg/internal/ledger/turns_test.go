package ledger

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// ledgerOf returns a ledger with a commit of each author, oldest first.
func ledgerOf(authors ...Author) string {
	var ids []string
	for _, author := range slices.Backward(authors) {
		ids = append(ids, author.NewID())
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
		"what is beyond the ledger's length":  {ledgerOf(append([]Author{"ZZZZ"}, slices.Repeat([]Author{"AAAA"}, 32)...)...), "AAAA"},
		"more foreign garbage than it can be": {strings.Repeat("GGGG ", 1000), "GGGG"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, author := range queue(Parse(row.ledger)) {
				got = append(got, string(author))
			}
			if got := strings.Join(got, " "); got != row.want {
				t.Errorf("queue %q, want %q", got, row.want)
			}
		})
	}
}

// A store waits one slot for each that is before it; for nobody, if it is next.
func TestAStoreWaitsOneSlotForEachThatIsBeforeIt(t *testing.T) {
	us := Turns{Author: "US__"}
	for ledger, slots := range map[string]int{
		"":                               0,
		ledgerOf("US__"):                 0,
		ledgerOf("US__", "AAAA", "BBBB"): 0,
		ledgerOf("AAAA", "US__"):         1,
		ledgerOf("AAAA", "BBBB", "US__"): 2,
		ledgerOf("US__", "AAAA", "US__"): 1,
		ledgerOf("AAAA", "US__", "AAAA"): 0,
		ledgerOf("AAAA", "AAAA", "US__"): 1,
	} {
		if got := us.Delay(Parse(ledger), rand.IntN); got != time.Duration(slots)*firstSlot {
			t.Errorf("%s: waits %v, want %d slots", ledger, got, slots)
		}
	}
}

// A store that has no place tries as often as those that have one, however many
// they are.
func TestAStoreWithoutAPlaceGetsATurn(t *testing.T) {
	us := Turns{Author: "US__"}
	for _, others := range []int{0, 1, 8} {
		var ids IDs
		for range others {
			ids = append(ids, NewAuthor().NewID())
		}
		now := 0
		const tries = 4000
		for range tries {
			delay := us.Delay(ids, rand.IntN)
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
	var s Slot
	if s.Length() != firstSlot {
		t.Errorf("at first %v", s.Length())
	}
	for range 50 {
		s.Observe(5 * time.Millisecond)
	}
	if got := s.Length(); got < 10*time.Millisecond || got > 12*time.Millisecond {
		t.Errorf("%v after steady requests of 5 ms", got)
	}
	for i := range 50 {
		s.Observe(time.Duration(1+i%2*10) * time.Millisecond)
	}
	if got := s.Length(); got < 20*time.Millisecond {
		t.Errorf("%v after requests between 1 and 11 ms", got)
	}
	for range 50 {
		s.Observe(time.Hour)
	}
	if s.Length() != maxSlot {
		t.Errorf("%v after requests that took for ever", s.Length())
	}
	for range 500 {
		s.Observe(time.Microsecond)
	}
	if s.Length() != minSlot {
		t.Errorf("%v after requests that took no time", s.Length())
	}
}
