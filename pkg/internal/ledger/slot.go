package ledger

import "time"

// A Slot is how long a store gives another one to use its turn: long enough for that one
// to see the newest version and send its own. A store learns it from the duration of its
// own requests, as TCP learns its retransmission timeout (RFC 6298). It does not use the
// time between versions: then a store that writes now and then would slow all others
// down to its own pace.
type Slot struct{ mean, deviation time.Duration }

const (
	firstSlot = 10 * time.Millisecond
	minSlot   = 2 * time.Millisecond
	maxSlot   = 250 * time.Millisecond
)

// Observe notes how long a request took. The shortest ones say what a request takes that
// meets no crowd; longer ones count little by little.
func (s *Slot) Observe(took time.Duration) {
	switch above := took - s.mean; {
	case s.mean == 0:
		s.mean, s.deviation = took, took/4
	case above < 0:
		s.deviation = time.Duration(float64(s.deviation) * float64(took) / float64(s.mean))
		s.mean = took
	default:
		s.mean += above / 8
		s.deviation += (above - s.deviation) / 4
	}
}

// Mean returns the average duration of a request; 0 if there has been none.
func (s *Slot) Mean() time.Duration { return s.mean }

// Most returns a duration that hardly any request exceeds.
func (s *Slot) Most() time.Duration { return s.mean + 4*s.deviation }

// Round returns the time after which it is clear that nobody has committed.
func (s *Slot) Round() time.Duration { return s.bound(s.Most()) }

// Length returns the slot's length.
func (s *Slot) Length() time.Duration { return s.bound(s.Most() + s.mean/2) }

func (s *Slot) bound(d time.Duration) time.Duration {
	if s.mean == 0 {
		return firstSlot
	}
	return min(max(d, minSlot), maxSlot)
}
