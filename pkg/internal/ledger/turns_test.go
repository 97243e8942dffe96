package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// At the epoch of these tests the newest version arrives.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// idsOf returns a ledger with a commit of each author, oldest first. Those with a "+"
// write all the time.
func idsOf(authors ...string) IDs {
	var ids IDs
	for _, author := range slices.Backward(authors) {
		name, steady := strings.CutSuffix(author, "+")
		ids = append(ids, Author(name).newID(steady, 0))
	}
	return ids
}

// lucky always wins its lot; unlucky never, unless the odds are even.
func lucky(int) int     { return 0 }
func unlucky(n int) int { return n - 1 }

func sightOf(authors ...string) Sight { return Sight{IDs: idsOf(authors...), Committed: epoch} }

// next asks for the turn of a write that began at a time after the epoch, at another one.
func next(t *testing.T, turns *Turns, s Sight, at time.Duration, draw func(int) int, turn Turn, until time.Duration) {
	t.Helper()
	got, when := turns.Next(epoch.Add(at), s, draw)
	if got != turn || got == Wait && !when.Equal(epoch.Add(until)) {
		t.Errorf("turn %d, until %v; want %d, %v", got, when.Sub(epoch), turn, until)
	}
}

func TestWhoWritesAllTheTimeAndCommittedLongestAgoIsNext(t *testing.T) {
	for name, row := range map[string]struct {
		authors []string
		want    string
	}{
		"nobody":                       {nil, ""},
		"nobody writes all the time":   {[]string{"AAAA", "BBBB", "CCCC"}, ""},
		"a round":                      {[]string{"AAAA+", "BBBB+", "CCCC+"}, "AAAA BBBB CCCC"},
		"a second round has begun":     {[]string{"AAAA+", "BBBB+", "CCCC+", "AAAA+"}, "BBBB CCCC AAAA"},
		"a turn was passed":            {[]string{"AAAA+", "BBBB+", "CCCC+", "BBBB+"}, "CCCC BBBB"},
		"one has stopped":              {[]string{"AAAA+", "BBBB+", "AAAA"}, "BBBB"},
		"a stranger takes no place":    {[]string{"AAAA+", "BBBB+", "XXXX"}, "AAAA BBBB"},
		"an older store has no places": {[]string{"AAAA+", "BBBB+"}, "AAAA BBBB"},
	} {
		t.Run(name, func(t *testing.T) {
			var all, each crowd
			ids := idsOf(row.authors...)
			all.look(ids)
			for i := range ids {
				each.look(ids[len(ids)-1-i:])
			}
			for _, c := range []crowd{all, each} {
				var got []string
				for _, author := range c.places {
					got = append(got, string(author))
				}
				if got := strings.Join(got, " "); got != row.want {
					t.Errorf("places %q, want %q", got, row.want)
				}
			}
		})
	}
}

func TestNobodyWaitsForThoseWhoHaveNothingToWrite(t *testing.T) {
	for _, authors := range [][]string{nil, {"AAAA"}, {"AAAA", "BBBB", "CCCC"}} {
		us := NewTurns("US__")
		us.Begin(epoch)
		next(t, us, sightOf(authors...), 0, unlucky, MaySend, 0)
	}
	us := NewTurns("US__")
	us.Begin(epoch)
	next(t, us, Sight{IDs: idsOf("AAAA+", "BBBB+")}, 0, unlucky, MaySend, 0) // the first version: it may be old
	next(t, us, sightOf("AAAA+", "BBBB+"), time.Minute, unlucky, MaySend, 0)
}

func TestAStoreWithAPlaceWaitsOneSlotForEachBeforeIt(t *testing.T) {
	for authors, slots := range map[string]time.Duration{
		"US__+":             0,
		"US__+ AAAA+":       0,
		"AAAA+ US__+":       1,
		"AAAA+ BBBB+ US__+": 2,
	} {
		us := NewTurns("US__")
		us.Begin(epoch)
		s := sightOf(strings.Fields(authors)...)
		if slots > 0 {
			next(t, us, s, 0, lucky, Wait, slots*firstSlot)
		}
		next(t, us, s, slots*firstSlot, unlucky, MaySend, 0)
	}
}

// A stranger that comes while others write all the time waits for the next version.
func TestAStrangerDoesNotSendIntoACommitThatIsOnItsWay(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch.Add(time.Millisecond))
	next(t, us, sightOf("AAAA+"), time.Millisecond, lucky, Wait, firstSlot)
	next(t, us, sightOf("AAAA+"), firstSlot, lucky, MaySend, 0)
}

func TestTheOddsOfAStrangerFallWithLossesAndRiseInSilence(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch.Add(-time.Second))
	drawn := 0
	odds := func(n int) int {
		drawn = n
		return n - 1
	}
	for i, want := range []int{1, 1, 2, 4, 8} { // the first loss says little
		s := sightOf("AAAA", "BBBB", "CCCC")
		us.Next(epoch, s, odds)
		if drawn != want {
			t.Errorf("after %d losses it sends in 1 of %d rounds, want %d", i, drawn, want)
		}
		us.Lost(sightOf("BBBB", "CCCC", "DDDD"), 1)
	}
	s := sightOf("AAAA", "BBBB")
	for round, want := range []int{16, 8, 4, 2, 1} {
		at := time.Duration(round) * firstSlot
		us.Next(epoch.Add(at), s, odds)
		us.Next(epoch.Add(at+firstSlot/2), s, lucky) // lots are drawn once in a round
		if drawn != want {
			t.Errorf("in silent round %d it sends in 1 of %d, want %d", round, drawn, want)
		}
	}
	next(t, us, s, 5*firstSlot, unlucky, MaySend, 0)
}

// On a server that all of a crowd's requests keep busy, a request that fails delays the
// others. How long it took shows that, from the first loss on.
func TestTheOddsFallFasterWhereRequestsDelayEachOther(t *testing.T) {
	for _, row := range []struct {
		took time.Duration
		odds []int // of a round, after each loss: 1 in so many
	}{
		{2 * time.Millisecond, []int{1, 1, 2, 4}},
		{8 * time.Millisecond, []int{1, 1, 2, 4}}, // two that meet
		{9 * time.Millisecond, []int{1, 4, 16, 64}},
	} {
		us, drawn := NewTurns("US__"), 0
		us.Begin(epoch.Add(-time.Second))
		for i, want := range row.odds {
			us.Next(epoch, sightOf("AAAA"), func(n int) int { drawn = n; return n - 1 })
			if drawn != want {
				t.Errorf("a request takes %v: after %d losses it sends in 1 of %d rounds, want %d", row.took, i, drawn, want)
			}
			us.Took(row.took, 2*time.Millisecond)
			us.Lost(sightOf("BBBB"), 1)
		}
	}
}

// A round ends when nobody can be expected to commit in it any more. In a crowd that is
// long before a request of one's own, which the crowd has delayed, would be over.
func TestARoundIsNoLongerThanTheTimeBetweenCommits(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch)
	us.Took(100*time.Millisecond, 0)
	s := sightOf("AAAA")
	next(t, us, s, time.Millisecond, unlucky, MaySend, 0) // the odds are even
	for range 3 {
		s = sightOf("BBBB")
		us.Lost(s, 1)
	}
	next(t, us, s, time.Millisecond, unlucky, Wait, us.Slot.Round())
	for i := range 20 {
		s = sightOf("AAAA")
		s.Committed = epoch.Add(time.Duration(i+1) * 12 * time.Millisecond)
		us.Next(s.Committed, s, unlucky)
	}
	next(t, us, s, 241*time.Millisecond, unlucky, Wait, 252*time.Millisecond)
}

// Who has just committed lets those go first who have waited for longer.
func TestWhoHasWaitedForLongerGoesFirst(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch.Add(-time.Second))
	var ids IDs
	for range recent {
		ids = append(ids, NewAuthor().newID(false, 5))
	}
	us.look(Sight{IDs: ids})
	us.age = 0
	next(t, us, Sight{IDs: ids, Committed: epoch}, 0, lucky, Wait, firstSlot)
	us.age = 1 << 4
	us.lots = lots{}
	next(t, us, Sight{IDs: ids, Committed: epoch}, 0, lucky, MaySend, 0)
}

// A store that several others overtake each time asks them to hold back, within bounds.
func TestAStoreThatCannotWinAsksForAHold(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch)
	us.Slot.Observe(100 * time.Millisecond)
	us.Ran(50 * time.Millisecond)
	s := sightOf("AAAA", "BBBB", "CCCC", "DDDD")
	us.Lost(s, 3)
	next(t, us, s, 0, lucky, MaySend, 0)
	us.Lost(s, 2) // an ordinary loss
	us.Lost(s, 3)
	us.Lost(s, 5)
	us.lots = lots{}
	next(t, us, s, 0, lucky, Ask, 0)

	hold := us.NewHold()
	if hold.For < 150*time.Millisecond || hold.For > MaxHold {
		t.Errorf("a hold for %v", hold.For)
	}
	held := s
	held.Hold, held.Held = hold, epoch.Add(10*time.Millisecond)
	next(t, us, held, 20*time.Millisecond, unlucky, MaySend, 0)

	// It has committed, which takes the hold out, and wants to write again.
	us.End(epoch.Add(200 * time.Millisecond))
	us.Begin(epoch.Add(200 * time.Millisecond))
	done := sightOf("AAAA", "BBBB", "CCCC", "DDDD", "US__")
	done.Committed = epoch.Add(200 * time.Millisecond)
	if turn, _ := us.Next(epoch.Add(200*time.Millisecond), done, lucky); turn == Ask {
		t.Error("asks again at once")
	}
	done.IDs = idsOf("US__", "AAAA")
	if turn, _ := us.Next(epoch.Add(time.Second), done, lucky); turn == Ask {
		t.Error("asks, though everybody has been silent for long")
	}

	us.NotHeld(epoch.Add(time.Second), true)
	done.IDs, done.Committed = idsOf("US__", "AAAA", "BBBB"), epoch.Add(time.Minute)
	us.lots = lots{}
	if turn, _ := us.Next(epoch.Add(time.Minute), done, lucky); turn != MaySend {
		t.Errorf("turn %d without the right to ask", turn)
	}
}

func TestAWriteThatHasWaitedForLongAsksForAHold(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch.Add(-patience - time.Millisecond))
	next(t, us, sightOf("AAAA", "BBBB"), 0, lucky, Ask, 0)
}

// Also if the hold does not arrive.
func TestAStoreDoesNotAskAgainAtOnce(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch.Add(-patience - time.Millisecond))
	next(t, us, sightOf("AAAA"), 0, lucky, Ask, 0)
	us.Asked(epoch)
	next(t, us, sightOf("AAAA"), 0, lucky, MaySend, 0)
}

// A store that is too slow to win, and asks in vain, tries all the same.
func TestAStoreThatAsksInVainStillSends(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch)
	s := sightOf("AAAA", "BBBB", "CCCC", "DDDD")
	us.Lost(s, 3)
	us.Lost(s, 3)
	us.lots = lots{}
	next(t, us, s, 0, lucky, Ask, 0)
	us.Asked(epoch)
	next(t, us, s, 0, lucky, Wait, firstSlot)
	const took = time.Second // until it failed
	us.NotHeld(epoch.Add(took), false)
	for after, want := range map[time.Duration]Turn{0: MaySend, 2 * took: MaySend, 3 * took: Ask} {
		now := epoch.Add(took + after)
		if turn, _ := us.Next(now, Sight{IDs: idsOf("AAAA", string(NewAuthor())), Committed: now}, lucky); turn != want {
			t.Errorf("%v after it has asked in vain: turn %d, want %d", after, turn, want)
		}
	}
}

func TestOthersRespectAHold(t *testing.T) {
	us := NewTurns("US__")
	us.Begin(epoch)
	s := sightOf("AAAA")
	s.Hold, s.Held = Hold{Author("FAR_").newID(false, 0), 100 * time.Millisecond}, epoch
	next(t, us, s, 0, lucky, Wait, 100*time.Millisecond)
	next(t, us, s, 100*time.Millisecond, lucky, MaySend, 0)

	// The holder has committed before its time was over.
	us = NewTurns("US__")
	us.Begin(epoch)
	next(t, us, s, 0, lucky, Wait, 100*time.Millisecond)
	s = sightOf("AAAA", "FAR_")
	s.Committed = epoch.Add(50 * time.Millisecond)
	next(t, us, s, 50*time.Millisecond, lucky, MaySend, 0)
}

// Whatever others write into the annotations costs a bounded wait.
func TestNothingThatOthersWriteMakesAStoreWaitForLong(t *testing.T) {
	for _, annotation := range []string{"", "x", "AAAA-aBCDEFG 1", "AAAA-aBCDEFG", "AAAA-aBCDEFG -5", "AAAA-aBCDEFG x", "AAAA-aBCDEFG 99999999999"} {
		if h := ParseHold(annotation); annotation != "AAAA-aBCDEFG 1" && !h.IsZero() && h.For > MaxHold {
			t.Errorf("%q: %v", annotation, h)
		}
	}
	hostile := ParseHold("FAR_-aBCDEFG 2147483647")
	if hostile.IsZero() || hostile.For != MaxHold {
		t.Errorf("%v, want it to be bounded", hostile)
	}
	if got := ParseHold(hostile.String()); got != hostile {
		t.Errorf("%v read back as %v", hostile, got)
	}

	var crowd []string
	for range 2 * maxPlaces {
		crowd = append(crowd, string(NewAuthor())+"+")
	}
	us := NewTurns("US__")
	us.Begin(epoch)
	s := Sight{IDs: idsOf(append(crowd[:Length], "US__+")...), Committed: epoch}
	if turn, until := us.Next(epoch, s, lucky); turn == Wait && until.Sub(epoch) > MaxHold {
		t.Errorf("waits for %v behind names that nobody has", until.Sub(epoch))
	}
	for i := 0; i < len(crowd); i += Length {
		us.look(Sight{IDs: idsOf(crowd[i : i+Length]...)})
	}
	if n := len(us.crowd.places); n > maxPlaces {
		t.Errorf("%d places", n)
	}

	// A hold after the other, always a new one: half of the time stays.
	us = NewTurns("US__")
	us.Begin(epoch)
	free := 0
	for i := range 100 {
		s := sightOf("AAAA")
		s.Hold, s.Held = Hold{NewAuthor().newID(false, 0), 10 * time.Millisecond}, epoch.Add(time.Duration(i)*10*time.Millisecond)
		if turn, _ := us.Next(s.Held, s, lucky); turn == MaySend {
			free++
		}
	}
	if free < 45 {
		t.Errorf("free in %d of 100 rounds", free)
	}
	for _, id := range []string{"", "x", "AAAA", "AAAA+", "AAAA+zBCDEFG", "AAAA+\x00BCDEFG", "AAAAABCDEFGH"} {
		if g := generationIn(id); g < 0 || g > maxGeneration {
			t.Errorf("%q has generation %d", id, g)
		}
	}
}

func TestASlotIsALittleMoreThanARequestTakesThatMeetsNobody(t *testing.T) {
	var s Slot
	if s.Length() != firstSlot {
		t.Errorf("at first %v", s.Length())
	}
	s.Observe(50 * time.Millisecond) // it met a crowd
	for range 10 {
		s.Observe(5 * time.Millisecond)
	}
	if got := s.Length(); got < 5*time.Millisecond || got > 12*time.Millisecond {
		t.Errorf("%v after steady requests of 5 ms", got)
	}
	for range 50 {
		s.Observe(time.Hour)
	}
	if s.Length() != maxSlot {
		t.Errorf("%v after requests that took for ever", s.Length())
	}
	s.Observe(time.Microsecond)
	if s.Length() != minSlot {
		t.Errorf("%v after requests that took no time", s.Length())
	}
}
