package ledger

import "time"

// Turns decide when a store sends its next request, so that stores which write to one
// map at the same time meet as little as possible: whoever commits makes all other
// requests fail that are on their way.
//
// A store that nobody competes with sends at once. Otherwise:
//
//   - A store that writes all the time has a place in an order that the ledger shows to
//     everybody: who committed longest ago is next. Each waits one slot longer than the
//     one before it, in case that one has nothing to write.
//   - All other stores are strangers to each other. With each version a round begins, and
//     each stranger draws lots whether it sends. Its odds halve when its request fails,
//     and double when a round passes in which no stranger commits. Who has waited for
//     less time than those who commit lets them go first.
//   - A store that cannot win, because it is far away or its functions are slow, or that
//     has waited for long, asks the others to hold back ([Hold]).
//
// All of that is a courtesy: it is the resource version that keeps stores from
// overwriting each other. Whatever others write into the annotations costs a store a
// second at most each time.
type Turns struct {
	Slot Slot // of the store's own requests

	author Author
	crowd  crowd
	lots   lots
	holds  holds

	waiting   bool
	since     time.Time // when the write began to wait
	age       int       // how many commits others have made since
	conflicts int       // how many of its attempts have failed because of others
	crowded   bool      // its last request took so long that it must have met a crowd
	overtaken int       // how many attempts in a row several versions have overtaken

	committed time.Time     // when the newest commit arrived that was looked at
	pace      time.Duration // the average time between two commits while a write waits; 0 if unknown

	ended     time.Time // when the last write ended
	steady    bool      // the write followed the one before it at once
	functions Slot      // how long the transactions' functions take
}

// patience is how long a write waits before it asks the others to hold back.
const patience = time.Second

// NewTurns returns the turns of a store with that name.
func NewTurns(author Author) *Turns { return &Turns{author: author} }

// A Sight is what a store sees of the others when it wants to write.
type Sight struct {
	IDs       IDs       // the ledger
	Committed time.Time // when the newest commit arrived; zero if that is unknown
	Hold      Hold      // the zero Hold if there is none
	Held      time.Time // when the hold arrived; zero if that is unknown
}

// A Turn is what a store must do now.
type Turn int

// The turns.
const (
	MaySend Turn = iota
	Ask          // ask the others to hold back, see [Turns.NewHold], and then for the next turn
	Wait         // wait until a time, or until a version arrives, and ask for the next turn
)

// Begin notes that there is something to write.
func (t *Turns) Begin(now time.Time) {
	if t.waiting {
		return
	}
	if t.steady = now.Sub(t.ended) <= t.Slot.Length(); !t.steady {
		t.lots = lots{}
	}
	t.waiting, t.since, t.age, t.conflicts = true, now, 0, 0
}

// End notes that the write has an outcome, or that nobody waits for it any more.
func (t *Turns) End(now time.Time) { t.waiting, t.ended, t.conflicts = false, now, 0 }

// Ran notes how long the functions of an attempt have taken.
func (t *Turns) Ran(took time.Duration) { t.functions.Observe(took) }

// crowdFactor is by how much a request in a crowd takes longer than the fastest. Two that
// meet do not delay each other by that much.
const crowdFactor = 4

// Took notes how long a request took that was answered, and how long the fastest one did
// since the store began.
func (t *Turns) Took(took, fastest time.Duration) {
	t.Slot.Observe(took)
	t.crowded = fastest > 0 && took > crowdFactor*fastest
}

// Lost notes that an attempt failed because of so many versions that others have made.
func (t *Turns) Lost(s Sight, others uint64) {
	t.look(s)
	t.conflicts++
	switch {
	case t.crowd.steady: // it has lost to one whose turn it was
	case t.crowded: // here a request that fails delays those that do not
		t.lots.lost()
		t.lots.lost()
	case t.conflicts > 1 || t.steady: // the first loss says little: most often two have met, and now one is left
		t.lots.lost()
	}
	t.crowded = false
	if t.overtaken++; others < 3 {
		t.overtaken = 0
	}
}

// NewID returns an id for a commit. It tells the others for how long the commit has
// waited, and whether the store writes all the time, which it does if more is waiting.
func (t *Turns) NewID(more bool) string {
	return t.author.newID((more || t.steady) && !t.slow(), t.generation())
}

// NewHold returns the hold to ask for: for as long as it takes until a commit that is
// made on its version has arrived.
func (t *Turns) NewHold() Hold {
	return Hold{ID: t.author.newID(false, 0), For: min(t.functions.Most()+t.Slot.Most()+t.Slot.Mean(), MaxHold)}
}

// Asked notes that the others are being asked to hold back. Whether or not they do, time
// must pass before the next request.
func (t *Turns) Asked(now time.Time) { t.holds.from, t.holds.till, t.holds.failed = now, now, false }

// NotHeld notes that asking has failed by now; for ever says that the store lacks the
// right. A store that is too slow then goes on like any other, until it may ask again.
func (t *Turns) NotHeld(now time.Time, forEver bool) {
	t.holds.till, t.holds.failed, t.holds.denied = now, true, forEver
}

// Next returns what to do, and until when to wait. The function draw returns a random
// number below n.
func (t *Turns) Next(now time.Time, s Sight, draw func(n int) int) (Turn, time.Time) {
	t.look(s)
	start := s.Committed
	if end := t.holds.end(s); now.Before(end) {
		if authorOf(s.Hold.ID) == t.author {
			return MaySend, now
		}
		return Wait, end
	} else if end.After(start) {
		start = end
	}
	if start.IsZero() {
		return MaySend, now
	}
	if place := t.crowd.place(t.author); place >= 0 && !t.slow() {
		turn := start.Add(min(time.Duration(place)*t.Slot.Length(), MaxHold))
		if now.Before(turn) {
			return Wait, turn
		}
		return MaySend, now
	}

	length := t.round()
	round := int(now.Sub(start) / length)
	t.lots.enter(s.IDs.Head()+s.Hold.ID, round, draw)
	mayAsk := t.holds.mayAsk(now, t.functions.Mean()+t.Slot.Length())
	switch {
	case !t.lots.won:
	case round == 0 && t.since.After(start) && len(t.crowd.places) > 0: // somebody is about to commit
	case round == 0 && t.generation() < t.crowd.generation-1: // others have waited for longer
	case mayAsk && round <= len(t.crowd.places) && (t.slow() || now.Sub(t.since) > patience):
		return Ask, now
	case round == 0 && t.slow() && !t.holds.failed: // it would fail
	default:
		return MaySend, now
	}
	return Wait, start.Add(time.Duration(round+1) * length)
}

// slow reports whether the store is too slow to win against the others.
func (t *Turns) slow() bool { return t.overtaken >= 2 }

func (t *Turns) generation() int { return generationOf(t.age) }

// round returns how long a round lasts: until it is clear that nobody has committed. The
// requests of a crowd take long, and all at the same time. So it is no longer than what
// usually passes between two commits.
func (t *Turns) round() time.Duration {
	if t.pace == 0 {
		return t.Slot.Round()
	}
	return min(t.Slot.Round(), max(t.pace, minSlot))
}

// look learns from a version.
func (t *Turns) look(s Sight) {
	t.holds.look(s)
	commits, steady := t.crowd.look(s.IDs)
	t.age += commits
	t.lots.took(steady)
	if commits == 0 {
		return
	}
	if gap := s.Committed.Sub(t.committed) / time.Duration(commits); !t.committed.Before(t.since) && gap > 0 {
		if t.pace == 0 {
			t.pace = gap
		}
		t.pace += (gap - t.pace) / 8
	}
	t.committed = s.Committed
}
