package ledger

import "slices"

// A verdict is what is known of a commit that was sent.
type verdict int

const (
	undecided  verdict = iota // it has not landed yet; it still may
	landed                    // it has landed
	missed                    // it has not landed and never will
	unknowable                // the traces are gone
)

func (v Version) contains(id string) bool { return slices.Contains(v.IDs, id) }

// A commit is one of which it has to be found out what became.
type commit struct {
	id       string
	base     Version
	evidence Evidence
	seen     verdict // what the versions that came by have shown
}

// observe looks at a version that need not be the newest.
func (c *commit) observe(v Version) {
	switch {
	case c.seen != undecided || c.id == "":
	case v.contains(c.id):
		c.seen = landed
	case v.Follows != "" && v.Follows == c.base.Revision && c.isAnother(v):
		c.seen = missed
	}
}

// isAnother reports whether the version that came directly after the base is surely
// not the commit itself, changed on its way.
func (c *commit) isAnother(v Version) bool {
	switch head := v.IDs.Head(); {
	case v.Absent:
		return true
	case head == "":
		return false // nobody's id is left: a policy may have taken it off
	case !slices.Contains(c.base.IDs, head):
		return true // somebody else's commit
	default:
		return c.evidence == Arriving
	}
}

// verdict tells what became of the commit, now being a version that was current at
// some time after it was sent, and that was shown to observe before.
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
	// Of what came before the base's newest commit nothing has dropped out of the
	// ledger if that one still stands there, and of what came after it nothing is
	// missing if others have been added.
	if head := c.base.IDs.Head(); head != "" && slices.Index(now.IDs, head) > 0 {
		return missed
	}
	return unknowable
}
