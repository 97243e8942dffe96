package e2e

import (
	"errors"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
	u, key, value := m.user(t), aKey.Draw(t, "key"), aValue.Draw(t, "value")
	next := maps.Clone(m.data)
	next[key] = value
	m.wrote(t, u, next, u.Set(soon(t), key, value))
}

func (m *machine) delete(t *rapid.T) {
	u, key := m.user(t), aKey.Draw(t, "key")
	next := maps.Clone(m.data)
	delete(next, key)
	m.wrote(t, u, next, u.Delete(soon(t), key))
}

func (m *machine) clear(t *rapid.T) {
	u := m.user(t)
	m.wrote(t, u, map[string]string{}, u.Clear(soon(t)))
}

// A step is one of a transaction.
type step struct{ Do, Key, Value string }

var aPlay = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
	return step{rapid.SampledFrom([]string{"set", "delete", "clear"}).Draw(t, "do"), aKey.Draw(t, "key"), aValue.Draw(t, "value")}
}), 1, 5)

// A writable map is a plain one or a transaction.
type writable interface {
	Set(key, value string)
	Delete(key string)
	Clear()
}

type plain map[string]string

func (p plain) Set(key, value string) { p[key] = value }
func (p plain) Delete(key string)     { delete(p, key) }
func (p plain) Clear()                { clear(p) }

func play(steps []step, w writable) {
	for _, step := range steps {
		switch step.Do {
		case "set":
			w.Set(step.Key, step.Value)
		case "delete":
			w.Delete(step.Key)
		case "clear":
			w.Clear()
		}
	}
}

func (m *machine) update(t *rapid.T) {
	u, steps := m.user(t), aPlay.Draw(t, "transaction")
	var before map[string]string // what the last run of fn started from
	s, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		before = maps.Collect(tx.All())
		play(steps, tx)
		return nil
	})
	next := maps.Clone(m.data)
	play(steps, plain(next))
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
		play(steps, tx)
		return onPurpose
	})
	m.refused(t, u, err, onPurpose)
}

func (m *machine) invalid(t *rapid.T) {
	u, key := m.user(t), aBadKey.Draw(t, "key")
	m.refused(t, u, u.Set(soon(t), key, "v"), mapstore.ErrInvalidKey)
	m.refused(t, u, u.Set(soon(t), "a", strings.Repeat("x", 1<<20+1)), mapstore.ErrTooLarge)
	_, err := u.Update(soon(t), func(tx *mapstore.Tx) error {
		tx.Set(key, "v")
		tx.Clear()
		return nil
	})
	m.refused(t, u, err, mapstore.ErrInvalidKey)
}

func (m *machine) outsiderEdits(t *rapid.T) {
	key, text, removes := aKey.Draw(t, "key"), aText.Draw(t, "text"), rapid.Bool().Draw(t, "removes")
	next := maps.Clone(m.data)
	m.edit(t, func(object *corev1.ConfigMap) {
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
	})
	m.data = next
}

func (m *machine) outsiderLabels(t *rapid.T) {
	value := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "label")
	m.edit(t, func(object *corev1.ConfigMap) { object.Labels = map[string]string{"l": value} })
}

// edit changes the map as others do.
func (m *machine) edit(t *rapid.T, change func(*corev1.ConfigMap)) {
	if !m.exists {
		t.Skip("there is nothing to edit")
	}
	object, err := m.outside.Get(soon(t), m.name, metav1.GetOptions{})
	if err == nil {
		change(object)
		object, err = m.outside.Update(soon(t), object, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	m.revision = object.ResourceVersion
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
	m.data, m.exists, m.revision = map[string]string{}, false, list.ResourceVersion
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
	}
}

func (m *machine) restart(t *rapid.T) {
	u := m.user(t)
	u.Close()
	last := u.Snapshot()
	if err := u.Set(soon(t), "a", "1"); !errors.Is(err, mapstore.ErrClosed) {
		t.Fatalf("%s: Set on a closed store: %v", u.name, err)
	}
	if u.Snapshot() != last {
		t.Fatalf("%s: it has changed after Close", u.name)
	}
	u.Store = m.open(t)
	if isNewer(u.seen.Revision(), u.Snapshot().Revision()) {
		t.Fatalf("%s: revision %s after a restart, %s before", u.name, u.Snapshot().Revision(), u.seen.Revision())
	}
	u.seen = u.Snapshot()
	m.shows(t, u, u.seen)
}
