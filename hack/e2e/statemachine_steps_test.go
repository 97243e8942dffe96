package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"pgregory.net/rapid"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Few keys and values, so that the steps meet each other.
var (
	keys    = []string{"a", "b", "x.1", "x.2"}
	aKey    = rapid.SampledFrom(keys)
	aValue  = rapid.SampledFrom([]string{"1", "2", "", "zwölf", "\xff\x00", "\xfe"})
	aText   = rapid.SampledFrom([]string{"1", "3", "", "foreign"})
	aBadKey = rapid.SampledFrom([]string{"", ".", "..data", "bad key", "a/b", "ä", strings.Repeat("k", 254)})
)

func (m *machine) set(t *rapid.T) {
	u, key, value := m.writer(t), aKey.Draw(t, "key"), aValue.Draw(t, "value")
	next := maps.Clone(m.data)
	next[key] = value
	m.wrote(t, u, next, u.Set(soon(t), key, value))
}

func (m *machine) delete(t *rapid.T) {
	u, key := m.writer(t), aKey.Draw(t, "key")
	next := maps.Clone(m.data)
	delete(next, key)
	m.wrote(t, u, next, u.Delete(soon(t), key))
}

func (m *machine) clear(t *rapid.T) {
	u := m.writer(t)
	m.wrote(t, u, map[string]string{}, u.Clear(soon(t)))
}

// A play is the steps of one transaction.
type play []struct{ Do, Key, Value string }

// GoString is how rapid prints it.
func (p play) GoString() string {
	var steps []string
	for _, step := range p {
		switch step.Do {
		case "set":
			steps = append(steps, fmt.Sprintf("set %s=%q", step.Key, step.Value))
		case "delete":
			steps = append(steps, "delete "+step.Key)
		default:
			steps = append(steps, step.Do)
		}
	}
	return strings.Join(steps, ", ")
}

var aPlay = rapid.Custom(func(t *rapid.T) play {
	p := make(play, rapid.IntRange(1, 5).Draw(t, "steps"))
	for i := range p {
		p[i].Do = rapid.SampledFrom([]string{"set", "delete", "clear"}).Draw(t, "do")
		p[i].Key, p[i].Value = aKey.Draw(t, "key"), aValue.Draw(t, "value")
	}
	return p
})

// on plays the steps on a plain map and, unless it is nil, on a transaction, in
// which everything must look the same at each step.
func (p play) on(data map[string]string, tx *mapstore.Tx) error {
	for _, step := range p {
		if tx != nil {
			got, ok := tx.Get(step.Key)
			if want, has := data[step.Key]; got != want || ok != has {
				return fmt.Errorf("before %+v: Get = %q, %v, want %q, %v", step, got, ok, want, has)
			}
			if all := maps.Collect(tx.All()); !maps.Equal(all, data) || tx.Len() != len(data) || !slices.Equal(tx.Keys(), slices.Sorted(maps.Keys(data))) {
				return fmt.Errorf("before %+v: All %q, Len %d, Keys %v, want %q", step, all, tx.Len(), tx.Keys(), data)
			}
		}
		switch step.Do {
		case "set":
			data[step.Key] = step.Value
			if tx != nil {
				tx.Set(step.Key, step.Value)
			}
		case "delete":
			delete(data, step.Key)
			if tx != nil {
				tx.Delete(step.Key)
			}
		case "clear":
			clear(data)
			if tx != nil {
				tx.Clear()
			}
		}
	}
	return nil
}

func (m *machine) update(t *rapid.T) {
	u, steps := m.writer(t), aPlay.Draw(t, "transaction")
	var before map[string]string // what the last run of fn started from
	s, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		before = maps.Collect(tx.All())
		return steps.on(maps.Clone(before), tx)
	})
	next := maps.Clone(m.data)
	_ = steps.on(next, nil)
	if err == nil && !maps.Equal(before, m.data) {
		t.Fatalf("%s: the transaction that took effect started from %q, want %q", u.name, before, m.data)
	}
	m.wrote(t, u, next, err)
	if err == nil && (!maps.Equal(contents(s), m.data) || s.Revision() != m.revision) {
		t.Fatalf("%s: Update returned %q at %s, want %q at %s", u.name, contents(s), s.Revision(), m.data, m.revision)
	}
}

func (m *machine) updateFails(t *rapid.T) {
	u, steps := m.user(t), aPlay.Draw(t, "transaction")
	onPurpose := errors.New("on purpose")
	_, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		return errors.Join(steps.on(maps.Collect(tx.All()), tx), onPurpose)
	})
	m.refused(t, u, err, onPurpose)
}

func (m *machine) badKey(t *rapid.T) {
	u, steps, key := m.user(t), aPlay.Draw(t, "transaction"), aBadKey.Draw(t, "key")
	m.refused(t, u, u.Set(soon(t), key, "v"), mapstore.ErrInvalidKey)
	m.refused(t, u, u.Delete(soon(t), key), mapstore.ErrInvalidKey)
	_, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		tx.Set(key, "v")
		return steps.on(maps.Collect(tx.All()), tx)
	})
	m.refused(t, u, err, mapstore.ErrInvalidKey)
}

func (m *machine) oversize(t *rapid.T) {
	u, half := m.user(t), strings.Repeat("x", 1<<19)
	m.refused(t, u, u.Set(soon(t), "a", half+half+"x"), mapstore.ErrTooLarge)
	_, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		tx.Set("a", half)
		tx.Set("b", half)
		tx.Set("c", "x")
		return nil
	})
	m.refused(t, u, err, mapstore.ErrTooLarge)
}

func (m *machine) outsiderEdits(t *rapid.T) {
	key, text, removes := aKey.Draw(t, "key"), aText.Draw(t, "text"), rapid.Bool().Draw(t, "removes")
	if !m.exists {
		t.Skip("there is nothing to edit")
	}
	next := maps.Clone(m.data)
	object := m.edit(t, func(object *corev1.ConfigMap) {
		delete(object.BinaryData, key)
		delete(object.Data, key)
		delete(next, key)
		if !removes {
			if object.Data == nil {
				object.Data = map[string]string{}
			}
			object.Data[key] = text
			next[key] = text
		}
	}, m.immutable)
	if object != nil {
		m.data, m.revision = next, object.ResourceVersion
	}
}

func (m *machine) outsiderLabels(t *rapid.T) {
	value := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "label")
	if !m.exists {
		t.Skip("there is nothing to label")
	}
	m.revision = m.edit(t, func(object *corev1.ConfigMap) { object.Labels = map[string]string{"l": value} }, false).ResourceVersion
}

func (m *machine) outsiderMakesImmutable(t *rapid.T) {
	if !m.exists {
		t.Skip("there is nothing to make immutable")
	}
	m.revision = m.edit(t, func(object *corev1.ConfigMap) { object.Immutable = new(true) }, false).ResourceVersion
	m.immutable = true
}

// edit changes the map as others do, or returns nil if the server may refuse
// that, and does.
func (m *machine) edit(t *rapid.T, change func(*corev1.ConfigMap), mayRefuse bool) *corev1.ConfigMap {
	object, err := m.outside.Get(soon(t), m.name, metav1.GetOptions{})
	if err == nil {
		change(object)
		object, err = m.outside.Update(soon(t), object, metav1.UpdateOptions{})
	}
	if mayRefuse && apierrors.IsInvalid(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func (m *machine) outsiderDeletes(t *rapid.T) {
	if !m.exists {
		t.Skip("there is nothing to delete")
	}
	if err := m.outside.Delete(soon(t), m.name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := m.outside.List(soon(t), metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, m.name).String()})
	if err != nil {
		t.Fatal(err)
	}
	if m.immutable {
		m.thawed = list.ResourceVersion
	}
	m.data, m.exists, m.immutable, m.revision = map[string]string{}, false, false, list.ResourceVersion
}

func (m *machine) outsiderRecreates(t *rapid.T) {
	key, text := aKey.Draw(t, "key"), aText.Draw(t, "text")
	if m.exists {
		m.outsiderDeletes(t)
	}
	object, err := m.outside.Create(soon(t), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: m.name},
		Data:       map[string]string{key: text},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.created(object.UID)
	m.data, m.revision = map[string]string{key: text}, object.ResourceVersion
}

func (m *machine) sync(t *rapid.T) {
	u := m.user(t)
	s, err := u.Sync(soon(t))
	if err != nil {
		t.Fatalf("%s: %v", u.name, err)
	}
	m.shows(t, u, s)
}

// waitFor lets all catch up.
func (m *machine) waitFor(t *rapid.T) {
	for _, u := range m.users {
		s, err := u.WaitFor(soon(t), m.revision)
		if err != nil {
			t.Fatalf("%s: %v", u.name, err)
		}
		m.shows(t, u, s)
		for _, l := range u.listeners {
			l.reaches(t, s)
		}
	}
}

func (m *machine) restart(t *rapid.T) {
	u := m.user(t)
	u.Close()
	last := u.Snapshot()
	for _, l := range u.listeners {
		l.ends(t)
	}
	if err := u.Set(soon(t), "a", "1"); !errors.Is(err, mapstore.ErrClosed) {
		t.Fatalf("%s: Set on a closed store: %v", u.name, err)
	}
	if u.Snapshot() != last {
		t.Fatalf("%s: it has changed after Close", u.name)
	}
	u.Store, u.listeners = m.open(t), nil
	if isNewer(u.seen.Revision(), u.Snapshot().Revision()) {
		t.Fatalf("%s: revision %s after a restart, %s before", u.name, u.Snapshot().Revision(), u.seen.Revision())
	}
	u.seen = u.Snapshot()
	m.shows(t, u, u.seen)
}
