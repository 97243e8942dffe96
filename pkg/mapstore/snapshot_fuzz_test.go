package mapstore

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// oddMaps are maps that others might leave behind, or a server might hand out.
func oddMaps() []*corev1.ConfigMap {
	yes := true
	named := func(annotations map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "settings", Namespace: "ns", UID: "u", ResourceVersion: "7", Annotations: annotations}
	}
	return []*corev1.ConfigMap{
		{},
		{ObjectMeta: named(nil)},
		{ObjectMeta: named(nil), Data: map[string]string{}, BinaryData: map[string][]byte{}},
		{ObjectMeta: named(nil), Data: map[string]string{"both": "text"}, BinaryData: map[string][]byte{"both": {0xff}}},
		{ObjectMeta: named(nil), Data: map[string]string{"bad key": "1", "": "2", "..": "3"}, BinaryData: map[string][]byte{"nil": nil, "a/b": {}}},
		{ObjectMeta: named(nil), Data: map[string]string{"invalid": "\xff\xfe"}},
		{ObjectMeta: named(map[string]string{ledger.Annotation: strings.Repeat("garbage \x00", 500)}), Data: map[string]string{"k": "v"}},
		{ObjectMeta: named(map[string]string{"note": strings.Repeat("n", 969_000)}), Data: map[string]string{"k": strings.Repeat("v", 600_000)}},
		{ObjectMeta: named(nil), Data: map[string]string{"k": strings.Repeat("v", maxValueBytes+1)}},
		{ObjectMeta: named(nil), Data: map[string]string{"k": "v"}, Immutable: &yes},
		{ObjectMeta: metav1.ObjectMeta{Name: "\xff", UID: "\x00", ResourceVersion: "-1", Finalizers: []string{""}, ManagedFields: []metav1.ManagedFieldsEntry{{}}}},
	}
}

// Whatever a ConfigMap holds, a snapshot of it counts right, and a transaction on
// top of it ends in an object that contains exactly what it should, or in one of
// the typed errors. The object is fuzzed in the server's own encoding.
func FuzzSnapshots(f *testing.F) {
	for _, object := range oddMaps() {
		encoded, err := object.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded, "k", []byte("v"), "gone", false)
		f.Add(encoded, "both", []byte("\xff"), "k", false)
		f.Add(encoded, "k", []byte(""), "bad key", true)
		f.Add(encoded, "new", bytes.Repeat([]byte("x"), 4096), "both", true)
		f.Add(encoded, "new", bytes.Repeat([]byte("x"), 4096), "gone", false)
	}
	f.Fuzz(func(t *testing.T, encoded []byte, set string, value []byte, deleted string, clears bool) {
		object := &corev1.ConfigMap{}
		if object.Unmarshal(encoded) != nil {
			t.Skip("no ConfigMap")
		}
		pristine := object.DeepCopy()
		base := newSnapshot(object)
		want := maps.Clone(object.Data)
		if want == nil {
			want = map[string]string{}
		}
		for key, value := range object.BinaryData { // of a key in both, one of the two has to win
			want[key] = string(value)
		}
		checkCounts(t, base, want)

		d := newDraft(base)
		tx := d.Begin()
		if clears {
			tx.Clear()
			clear(want)
		}
		tx.Set(set, string(value))
		want[set] = string(value)
		tx.Delete(deleted)
		delete(want, deleted)
		if err := d.Add(tx); err != nil {
			if !errors.Is(err, ErrInvalidKey) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrImmutable) {
				t.Errorf("an error without a type: %v", err)
			}
			if len(err.Error()) > 4096 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			want = base.data
		} else if len(validation.IsConfigMapKey(set))+len(validation.IsConfigMapKey(deleted)) > 0 {
			t.Errorf("an invalid key came through: %q or %q", set, deleted)
		}
		next := d.configMap()
		for key := range next.BinaryData {
			if _, both := next.Data[key]; both {
				t.Errorf("%q is in both", key)
			}
		}
		received := overTheWire(t, wires["protobuf"], next)
		if got := newSnapshot(received); !maps.Equal(got.data, want) {
			t.Errorf("the object holds %q, want %q", got.data, want)
		}
		if received.ResourceVersion != pristine.ResourceVersion || received.UID != pristine.UID {
			t.Errorf("the guards are %q and %q, want %q and %q", received.ResourceVersion, received.UID, pristine.ResourceVersion, pristine.UID)
		}
		if d.differs() && next.Size() > maxObjectBytes && next.Size() > pristine.Size() {
			t.Errorf("%d bytes grew to %d, which etcd refuses", pristine.Size(), next.Size())
		}
		if !reflect.DeepEqual(base.object, newSnapshot(pristine).object) {
			t.Error("the base has changed")
		}
		_ = newSnapshot(next).version() // panics on nothing
	})
}

func checkCounts(t *testing.T, s *Snapshot, want map[string]string) {
	t.Helper()
	if s.Len() != len(want) || !slices.Equal(s.Keys(), slices.Sorted(maps.Keys(want))) || !maps.Equal(maps.Collect(s.All()), want) {
		t.Errorf("%d keys %q, want %q", s.Len(), s.Keys(), want)
	}
	values := 0
	for _, value := range want {
		values += len(value)
	}
	alone := corev1.ConfigMap{Data: want}
	if want := (size{values, alone.Size() - (&corev1.ConfigMap{}).Size()}); s.size() != want {
		t.Errorf("the size is %+v, want %+v", s.size(), want)
	}
}

// The same maps as JSON, which is how a person's edit reaches the server.
func TestSnapshotsOfOddMapsSurviveJSON(t *testing.T) {
	for i, object := range oddMaps() {
		object.Data = validText(object.Data)
		received := overTheWire(t, wires["JSON"], object)
		if got, want := newSnapshot(received).data, newSnapshot(object).data; !maps.Equal(got, want) {
			t.Errorf("map %d holds %q, want %q", i, got, want)
		}
	}
}

// validText leaves out what JSON cannot carry.
func validText(data map[string]string) map[string]string {
	maps.DeleteFunc(data, func(_, value string) bool { return strings.ToValidUTF8(value, "") != value })
	return data
}
