package mapstore

import (
	"reflect"
	"slices"
	"testing"
)

// Of what a store counts, a family leaves out only what it counts by itself: so a field that is
// added to Stats cannot be forgotten.
func TestAFamilyAddsUpWhateverAStoreCounts(t *testing.T) {
	var of, sum Stats
	for _, value := range reflect.ValueOf(&of).Elem().Fields() {
		if value.CanUint() {
			value.SetUint(1)
		} else {
			value.SetInt(1)
		}
	}
	sum.add(of)
	var without []string
	for field, value := range reflect.ValueOf(sum).Fields() {
		if value.IsZero() {
			without = append(without, field.Name)
		}
	}
	if want := []string{"Versions", "Resets", "Reconnects", "Queued", "Backups", "BackupFailures", "Subscriptions", "Lag"}; !slices.Equal(without, want) {
		t.Errorf("it does not add up %q, want %q", without, want)
	}
}
