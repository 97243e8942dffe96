package mapstore

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// A PUT whose answer is lost may or may not have been applied. So each commit
// carries an id of its own into one annotation of the map, the ledger. A guarded
// write can only land directly on its base, so once there is a later version it
// either is among the ancestors of that one or will never land. Which of the two
// is told by the ledger of any later version, or by the watch: it has shown the
// version that came directly after the base.
//
// Others can write into the ledger what they like, also an older one. So that
// makes nobody run a transaction again: what has been seen counts more, and a
// ledger that shows no commit since the base proves nothing.

const (
	// ledgerAnnotation holds the ids of the last commits, newest first, with a
	// space between two.
	ledgerAnnotation = "mapstore/commits"
	ledgerLength     = 32
	commitIDLength   = 12 // of 5 bits each
)

// newCommitID returns an id of the author's.
func newCommitID(author string) string { return author + rand.Text()[:commitIDLength-authorLength] }

func newAuthor() string { return rand.Text()[:authorLength] }

// ledger returns the ids of the last commits, newest first. Whatever others
// have written into the annotation is just ids that nobody looks for.
func (s *Snapshot) ledger() []string {
	if s.object == nil {
		return nil
	}
	ids := strings.Fields(s.object.Annotations[ledgerAnnotation])
	return ids[:min(len(ids), ledgerLength)]
}

// ledgerWith returns the annotation for a commit on top of s.
func (s *Snapshot) ledgerWith(id string) string {
	ids := s.ledger()
	for i, old := range ids {
		if len(old) > commitIDLength { // not ours: do not let it grow the object
			ids = ids[:i]
			break
		}
	}
	ids = append([]string{id}, ids[:min(len(ids), ledgerLength-1)]...)
	return strings.Join(ids, " ")
}

// A verdict is what is known of a commit that was sent.
type verdict int

const (
	undecided  verdict = iota // it has not landed yet; it still may
	landed                    // it has landed
	missed                    // it has not landed and never will
	unknowable                // the traces are gone
)

// A claim is a commit that was sent, of which it may have to be found out what
// became of it.
type claim struct {
	id      string
	base    *Snapshot
	decided chan struct{} // closed when the versions that came have shown it
	seen    verdict       // what they have shown; set before decided is closed
}

func newClaim(id string, base *Snapshot) *claim {
	return &claim{id: id, base: base, decided: make(chan struct{})}
}

// witness looks at a version of the base's era, which need not be the newest. It
// is called under the replica's lock.
func (c *claim) witness(v *Snapshot) {
	switch {
	case c == nil || c.seen != undecided:
		return
	case slices.Contains(v.ledger(), c.id):
		c.seen = landed
	case v.follows != "" && v.follows == c.base.revision:
		c.seen = missed
	default:
		return
	}
	close(c.decided)
}

// verdict tells what became of the commit, now being a version that was current
// at some time after it was sent, and shown to witness before.
func (c *claim) verdict(now *Snapshot) verdict {
	switch {
	case now.serial == c.base.serial:
		return undecided
	case now.epoch != c.base.epoch:
		return unknowable
	}
	select {
	case <-c.decided:
		return c.seen
	default:
	}
	// Of what came before the base's newest commit nothing has dropped out of the
	// ledger if that one still stands there, and of what came after it nothing is
	// missing if others have been added.
	if head := c.base.ledger(); len(head) > 0 && slices.Index(now.ledger(), head[0]) > 0 {
		return missed
	}
	return unknowable
}

// patientVerdict gives the watch, where it is needed, the time to show what a
// quorum read has been faster than.
func (c *claim) patientVerdict(ctx context.Context, now *Snapshot) verdict {
	if verdict := c.verdict(now); verdict != unknowable || now.epoch != c.base.epoch {
		return verdict
	}
	timer := time.NewTimer(watchPatience)
	defer timer.Stop()
	select {
	case <-c.decided:
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.verdict(now)
}
