package mapstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func snapshotOf(data map[string]string, binary map[string][]byte) *Snapshot {
	return newSnapshot(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: "ns", UID: "uid", ResourceVersion: "7"},
		Data:       data,
		BinaryData: binary,
	})
}

// A transaction, and a draft of several, behave as a plain map does.
func TestTransactionsBehaveAsAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		model := map[string]string{}
		for i := range random.IntN(5) {
			model[fmt.Sprintf("k%d", i)] = "base"
		}
		started := maps.Clone(model)
		base := snapshotOf(maps.Clone(model), nil)
		d := newDraft(base)
		for range 4 {
			tx, before := d.Begin(), maps.Clone(model)
			for step := range random.IntN(6) {
				key, value := fmt.Sprintf("k%d", random.IntN(7)), fmt.Sprintf("v%d-%d", round, step)
				switch random.IntN(6) {
				case 0:
					tx.Delete(key)
					delete(model, key)
				case 1:
					tx.Clear()
					clear(model)
				default:
					tx.Set(key, value)
					model[key] = value
				}
				checkTx(t, tx, model)
			}
			if random.IntN(3) == 0 { // refused: it leaves no trace
				tx.Set("bad key", "")
				model = before
				if err := d.Add(tx); !errors.Is(err, ErrInvalidKey) {
					t.Fatalf("add: %v", err)
				}
			} else if err := d.Add(tx); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(d.data, model) {
				t.Fatalf("the draft is %v, want %v", d.data, model)
			}
		}
		if !maps.Equal(base.data, started) {
			t.Fatalf("the version that readers have became %v, from %v", base.data, started)
		}
		if want := !maps.Equal(model, base.data); d.differs() != want {
			t.Fatalf("changed = %v from %v to %v", d.differs(), base.data, model)
		}
		again := snapshotOf(d.configMap().Data, d.configMap().BinaryData)
		if d.size != again.size() {
			t.Fatalf("the size is %+v, counted anew %+v", d.size, again.size())
		}
	}
}

func checkTx(t *testing.T, tx *Tx, model map[string]string) {
	t.Helper()
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(tx.Keys(), want) || tx.Len() != len(want) {
		t.Fatalf("Keys = %v, Len = %d, want %v", tx.Keys(), tx.Len(), want)
	}
	if got := maps.Collect(tx.All()); !maps.Equal(got, model) {
		t.Fatalf("All = %v, want %v", got, model)
	}
	for i := range 8 {
		key := fmt.Sprintf("k%d", i)
		got, ok := tx.Get(key)
		if want, has := model[key]; got != want || ok != has {
			t.Fatalf("Get(%s) = %q, %v, want %q, %v", key, got, ok, want, has)
		}
	}
}

func TestALoopOverATransactionMayWrite(t *testing.T) {
	tx := newDraft(snapshotOf(map[string]string{"a": "1", "b": "2", "c": "3"}, nil)).Begin()
	var seen []string
	for key := range tx.All() {
		seen = append(seen, key)
		tx.Delete("b")
		tx.Set("d", "4")
	}
	if !slices.Equal(seen, []string{"a", "c"}) {
		t.Errorf("the loop saw %v", seen)
	}
}

func TestLimits(t *testing.T) {
	immutable := snapshotOf(map[string]string{"k": "v"}, nil)
	immutable.object.Immutable = new(true)
	full := snapshotOf(map[string]string{"k": strings.Repeat("v", maxValueBytes)}, nil)
	over := snapshotOf(map[string]string{"k": strings.Repeat("v", maxValueBytes+2), "l": ""}, nil)
	for name, row := range map[string]struct {
		base *Snapshot
		fn   func(*Tx)
		want error
	}{
		"an immutable map changes":           {immutable, func(tx *Tx) { tx.Set("k", "w") }, ErrImmutable},
		"an immutable map stays":             {immutable, func(tx *Tx) { tx.Set("k", "v"); tx.Delete("l") }, nil},
		"an immutable map is written anew":   {immutable, func(tx *Tx) { tx.Clear(); tx.Set("k", "v") }, nil},
		"an immutable map is cleared":        {immutable, func(tx *Tx) { tx.Clear() }, ErrImmutable},
		"a full map takes an empty value":    {full, func(tx *Tx) { tx.Set("l", "") }, nil},
		"a full map takes no byte more":      {full, func(tx *Tx) { tx.Set("l", "v") }, ErrTooLarge},
		"a full map is replaced":             {full, func(tx *Tx) { tx.Clear(); tx.Set("l", strings.Repeat("w", maxValueBytes)) }, nil},
		"a map over the limit shrinks":       {over, func(tx *Tx) { tx.Set("k", strings.Repeat("v", maxValueBytes+1)) }, nil},
		"a map over the limit does not grow": {over, func(tx *Tx) { tx.Set("l", "v") }, ErrTooLarge},
	} {
		d := newDraft(row.base)
		tx := d.Begin()
		row.fn(tx)
		if err := d.Add(tx); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}
