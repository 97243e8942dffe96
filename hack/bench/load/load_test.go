package load

import "testing"

// A counter that lost an update, or holds one too many, is an error.
func TestTheCountersAreHeldAgainstTheAcknowledgements(t *testing.T) {
	for _, test := range []struct {
		counter      string
		acknowledged int
		failed       int
		ok           bool
	}{
		{"3", 3, 0, true},
		{"", 0, 0, true},
		{"2", 3, 0, false},
		{"4", 3, 0, false},
		{"4", 3, 1, true}, // the one that failed was applied after all
		{"2", 3, 1, false},
		{"5", 3, 1, false},
	} {
		err := compare(map[string]string{"n": test.counter}, "n", test.acknowledged, test.failed)
		if ok := err == nil; ok != test.ok {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
