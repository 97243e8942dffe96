package checker

import (
	"errors"
	"fmt"
	"strings"
)

// A Report is what a run has shown.
type Report struct {
	Acknowledged, Unknown, Failed int // transactions by outcome

	Lost    int // acknowledged, and the witness never saw them take effect, or saw them written over
	Doubled int // took effect more than once; also those that returned "not applied" and took effect
	Landed  int // of the unknown ones, how many took effect

	Reads, Changes, Versions int // local reads and Changes that were checked; versions that the witness saw
	Syncs                    int
	Aborted                  int // of the failed ones, those that ended with an error of their own
	Looks                    int // acknowledged transactions that changed nothing, which are not among the others
	Foreign                  int // versions that no recorded store made

	// Violations says in plain words what was seen where, and what was expected.
	// There are at most 20.
	Violations []string

	// Linearizability is porcupine's verdict: ok, violated, or unknown if it took
	// too long, which is a failure.
	Linearizability string

	violations int
}

const maxViolations = 20

func (r *Report) violated(format string, args ...any) {
	if r.violations++; r.violations <= maxViolations {
		r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
	}
}

// Err returns nil only if nothing was lost, doubled or violated, and porcupine
// said ok.
func (r Report) Err() error {
	var problems []string
	if r.Lost > 0 || r.Doubled > 0 {
		problems = append(problems, fmt.Sprintf("%d lost and %d doubled", r.Lost, r.Doubled))
	}
	if r.Linearizability != linearizable {
		problems = append(problems, "linearizability: "+r.Linearizability)
	}
	problems = append(problems, r.Violations...)
	if more := r.violations - len(r.Violations); more > 0 {
		problems = append(problems, fmt.Sprintf("and %d violations more", more))
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "\n"))
}

// String gives the figures on one line.
func (r Report) String() string {
	return fmt.Sprintf("acknowledged %d, unknown %d (landed %d), failed %d (aborted %d), lost %d, doubled %d; %d reads, %d Syncs, %d looks, %d Changes, %d versions (%d foreign); linearizability %s",
		r.Acknowledged, r.Unknown, r.Landed, r.Failed, r.Aborted, r.Lost, r.Doubled, r.Reads, r.Syncs, r.Looks, r.Changes, r.Versions, r.Foreign, r.Linearizability)
}
