package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Hold is a store's request to the others to hold back for a while, so that it can
// commit. It is written into an annotation by a merge patch, which carries no resource
// version and so never meets a conflict. The commit that comes next takes it out.
type Hold struct {
	ID  string
	For time.Duration // from its arrival
}

const (
	// HoldAnnotation is the name of the annotation that holds a [Hold].
	HoldAnnotation = "mapstore/hold"

	// MaxHold is the longest time for which a store holds back.
	MaxHold = time.Second
)

// ParseHold reads the annotation: an id and a number of milliseconds. It returns the zero
// Hold for anything that no store has written.
func ParseHold(annotation string) Hold {
	id, number, _ := strings.Cut(annotation, " ")
	ms, err := strconv.ParseInt(number, 10, 32)
	if err != nil || ms <= 0 || len(id) != idLength {
		return Hold{}
	}
	return Hold{id, min(time.Duration(ms)*time.Millisecond, MaxHold)}
}

// String returns the annotation.
func (h Hold) String() string { return fmt.Sprintf("%s %d", h.ID, max(h.For.Milliseconds(), 1)) }

// IsZero reports whether there is no hold.
func (h Hold) IsZero() bool { return h.ID == "" }

// Holds are the holds of all stores, as one of them sees them.
type holds struct {
	id         string    // of the last hold
	from, till time.Time // when it was respected
	failed     bool      // the store has asked for one in vain
	denied     bool      // it lacks the right, and asks no more
}

// share bounds how much of the time holds take: from the end of one to the next request
// for one, time must pass in this proportion to its length.
const share = 2.5

// look learns of a hold, or that one is over.
func (h *holds) look(s Sight) {
	switch {
	case s.Hold.IsZero() && s.Committed.Before(h.till): // who asked for it has committed
		h.till = later(s.Committed, h.from)
	case s.Hold.IsZero(), s.Hold.ID == h.id:
	case s.Held.Sub(h.till) < h.till.Sub(h.from): // it is not fair to ask so often
		h.id = s.Hold.ID
	default:
		h.id, h.from, h.till = s.Hold.ID, s.Held, s.Held.Add(s.Hold.For)
	}
}

// end returns until when the newest hold is to be respected.
func (h *holds) end(s Sight) time.Time {
	if s.Hold.IsZero() || s.Held.IsZero() || !h.from.Equal(s.Held) {
		return time.Time{}
	}
	return h.till
}

// mayAsk reports whether it is fair to ask for a hold of that length.
func (h *holds) mayAsk(now time.Time, length time.Duration) bool {
	return !h.denied && float64(now.Sub(h.till)) >= share*float64(max(h.till.Sub(h.from), length))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
