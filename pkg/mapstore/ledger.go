package mapstore

import (
	"crypto/rand"
	"slices"
	"strings"
)

// A PUT whose answer is lost may or may not have been applied. So each commit
// carries an id of its own into one annotation of the map, the ledger, and the
// ledger of any later version tells what became of it: a guarded write can only
// land directly on its base, so once there is a later version it either is
// among the ancestors of that one or will never land.

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

// A verdict is what a version of the map tells about a commit.
type verdict int

const (
	undecided  verdict = iota // it has not landed yet; it still may
	landed                    // it is part of this version
	missed                    // it is not part of this version and never will be of any
	unknowable                // the traces are gone
)

// verdictOn reads off now, which was current at some time after the commit was
// sent, whether the commit id that was computed from base has landed.
func verdictOn(id string, base, now *Snapshot) verdict {
	switch {
	case now.serial == base.serial:
		return undecided
	case now.epoch != base.epoch || !now.Exists():
		return unknowable
	}
	ids := now.ledger()
	if slices.Contains(ids, id) {
		return landed
	}
	// The base's newest id still standing proves that nothing from after it
	// has dropped out of the ledger.
	if head := base.ledger(); len(head) > 0 && slices.Contains(ids, head[0]) {
		return missed
	}
	return unknowable
}
