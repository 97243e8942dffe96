package checker

import "fmt"

// A transaction is one call of Update.
type transaction struct {
	client string
	id     int
	span
	outcome outcome
	err     error
	runs    []transition // of fn, those that came to their end
	view    view         // what Update returned; only of an acknowledged one

	readOnly bool     // fn changes nothing, and leaves no mark
	aborted  bool     // fn's own error ended it
	saw      contents // what fn found then
}

// A transition is what an operation found and what it left. A read leaves what
// it found.
type transition struct{ before, after contents }

type outcome int

const (
	failed outcome = iota // also while it is under way, and when fn has panicked
	unknown
	acknowledged
)

func (t *transaction) String() string {
	return fmt.Sprintf("transaction %d of %s, which was %s,", t.id, t.client, [...]string{"not applied", "unknown", "acknowledged"}[t.outcome])
}
