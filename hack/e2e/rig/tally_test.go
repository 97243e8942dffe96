package rig

import "testing"

func TestACounterIsHeldToWhatWasTallied(t *testing.T) {
	var tally Tally
	if tally.Check(0) == nil {
		t.Error("a tally without increments shows nothing")
	}
	tally.Acknowledged.Store(10)
	tally.Unknown.Store(2)
	for counter, fine := range map[int64]bool{9: false, 10: true, 11: true, 12: true, 13: false} {
		if err := tally.Check(counter); (err == nil) != fine {
			t.Errorf("a counter of %d after 10 acknowledged and 2 unknown increments: %v", counter, err)
		}
	}
}
