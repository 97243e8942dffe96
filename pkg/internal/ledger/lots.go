package ledger

// Lots decide which strangers send in a round. Nobody knows how many they are, so each
// adapts its odds to what it sees.
type lots struct {
	odds  int // it sends in one of 2^odds rounds
	taken int // how many rounds have gone to stores with places since the odds last rose

	drawn   bool
	version string // with which the rounds began
	round   int
	won     bool // it may send in this round
}

const (
	// maxOdds is enough for more strangers than one map can have.
	maxOdds = 16

	// maxTaken is how many rounds may go to stores with places before the odds rise: if no
	// stranger wins, few of them send.
	maxTaken = 8
)

// lost notes that a request has failed.
func (l *lots) lost() { l.odds = min(l.odds+1, maxOdds) }

// took notes that so many rounds have gone to stores with places.
func (l *lots) took(rounds int) {
	l.taken += rounds
	l.odds = max(l.odds-l.taken/maxTaken, 0)
	l.taken %= maxTaken
}

// enter draws lots, once in each round. The function draw returns a random number below n.
func (l *lots) enter(version string, round int, draw func(n int) int) {
	if l.drawn && l.version == version {
		if round <= l.round {
			return
		}
		l.odds = max(l.odds-(round-l.round), 0) // in those rounds nobody has committed
	}
	l.drawn, l.version, l.round = true, version, round
	l.won = draw(1<<l.odds) == 0
}
