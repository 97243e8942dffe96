package ledger

import "slices"

// A verdict is what is known about a commit that was sent.
type verdict int

const (
	undecided  verdict = iota // it has not landed yet; it still may
	landed                    // it has landed
	missed                    // it has not landed and never will
	unknowable                // the traces are gone
)

func (v Version) contains(id string) bool { return slices.Contains(v.IDs, id) }

// A commit is what is needed to find out whether a request has landed.
type commit struct {
	id       string // "" for a request that changes nothing
	base     Version
	evidence Evidence
	seen     verdict // what the versions that arrived have shown
}

// observe learns what it can from a version, which need not be the newest.
func (c *commit) observe(v Version) {
	switch {
	case c.seen != undecided || c.id == "":
	case v.contains(c.id):
		c.seen = landed
	case v.Follows != "" && v.Follows == c.base.Revision && c.isAnother(v):
		c.seen = missed
	}
}

// isAnother reports whether v, the version directly after the base, is certainly not the
// commit itself, altered on its way.
func (c *commit) isAnother(v Version) bool {
	switch head := v.IDs.Head(); {
	case v.Absent:
		return true
	case !v.Hold.IsZero() && v.Hold != c.base.Hold:
		return true // a store that asks others to hold back changes nothing else
	case head == "":
		return false // there is no id at all: a policy may have removed it
	case !slices.Contains(c.base.IDs, head):
		return true // somebody else's commit
	default:
		return c.evidence == Arriving
	}
}

// verdict returns what became of the commit. The version now was current at some time
// after the commit was sent, and was passed to observe before.
func (c *commit) verdict(now Version) verdict {
	switch {
	case now.Sequence == c.base.Sequence:
		return undecided
	case now.Rewinds != c.base.Rewinds:
		return unknowable
	case c.seen != undecided:
		return c.seen
	case now.Resets != c.base.Resets || c.evidence == Stripped:
		return unknowable
	}
	// If the base's newest id is still in the ledger, no newer id has dropped off its end.
	// If newer ids are there, nobody has put an old ledger back. So our id, which would be
	// among the newer ones, was never there.
	if head := c.base.IDs.Head(); head != "" && slices.Index(now.IDs, head) > 0 {
		return missed
	}
	return unknowable
}
