package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"pgregory.net/rapid"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promises 1, 2, 3, 8 and 11, and what the accessors say: whatever two stores and
// somebody outside do to a map, one after the other, it behaves as a plain Go map
// does. A store that lags behind need not catch up before it writes. What
// subscriptions are told is up to the histories.
//
// Rapid's flags are the test's: for more, or the same again,
//
//	go test -run TestTwoStoresBehaveAsOneMap . -rapid.checks=1000 -rapid.steps=100 -rapid.seed=1
//
// A failure prints the shortest sequence of steps that rapid could find, and the
// flag that repeats it.
func TestTwoStoresBehaveAsOneMap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	// As kubectl, the outsider speaks JSON, which spoils bytes that are where only
	// text may be; the stores speak protobuf, which does not.
	config := s.plane.Config()
	config.ContentType = runtime.ContentTypeJSON
	outside, client := s.client(config, nil), s.client(s.plane.Config(), nil)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		m := &machine{
			outside: outside.CoreV1().ConfigMaps(s.namespace), client: client,
			namespace: s.namespace, name: fmt.Sprintf("map-%d", runs), data: map[string]string{},
		}
		for i := range m.users {
			m.users[i] = &user{Store: m.open(t), name: fmt.Sprintf("store %d", i)}
			m.users[i].seen = m.users[i].Snapshot()
		}
		defer m.end(t)
		t.Repeat(map[string]func(*rapid.T){
			"":                      m.check,
			"Set":                   m.set,
			"Delete":                m.delete,
			"Clear":                 m.clear,
			"Update":                m.update,
			"Update whose fn fails": m.updateFails,
			"invalid":               m.invalid,
			"outsider edits":        m.outsiderEdits,
			"outsider labels":       m.outsiderLabels,
			"outsider deletes":      m.outsiderDeletes,
			"outsider recreates":    m.outsiderRecreates,
			"Sync":                  m.sync,
			"WaitFor":               m.waitFor,
			"restart":               m.restart,
		})
		m.waitFor(t)
	})
}

// A machine is the map, what it should be, and all who use it.
type machine struct {
	outside         typedcorev1.ConfigMapInterface
	client          kubernetes.Interface
	namespace, name string
	users           [2]*user

	data     map[string]string
	exists   bool
	uids     []types.UID // of all objects there were, the newest last
	revision string      // at which it is so
}

// A user is one store.
type user struct {
	*mapstore.Store
	name string
	seen *mapstore.Snapshot // the newest version so far
}

// open returns a store that has been synced.
func (m *machine) open(t *rapid.T) *mapstore.Store {
	store, err := mapstore.New(m.client, m.namespace, m.name, mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go store.Start(context.Background()) //nolint:errcheck // nil, as Close ends it
	if err := store.WaitForSync(soon(t)); err != nil {
		t.Fatal(err)
	}
	return store
}

func (m *machine) end(t *rapid.T) {
	for _, u := range m.users {
		u.Close()
	}
	err := m.outside.Delete(context.Background(), m.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("cleaning up: %v", err)
	}
}

// soon returns a ctx that ends in time for a step to say that it hangs.
func soon(t *rapid.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	t.Cleanup(cancel)
	return ctx
}

func (m *machine) user(t *rapid.T) *user {
	return m.users[rapid.IntRange(0, 1).Draw(t, "store")]
}

// check is what holds after each step, on stores that may lag.
func (m *machine) check(t *rapid.T) {
	for _, u := range m.users {
		s := u.Snapshot()
		if !s.Exists() && s.Len() > 0 || s.Exists() && s.UID() == "" || s.UID() != "" && !slices.Contains(m.uids, s.UID()) {
			t.Fatalf("%s: exists %v, UID %q, %d keys", u.name, s.Exists(), s.UID(), s.Len())
		}
		if s != u.seen && u.seen.Revision() != "" && !isNewer(s.Revision(), u.seen.Revision()) {
			t.Fatalf("%s: revision %s after %s", u.name, s.Revision(), u.seen.Revision())
		}
		u.seen = s
	}
}

// contents returns what a snapshot holds as a plain map.
func contents(snapshot *mapstore.Snapshot) map[string]string { return maps.Collect(snapshot.All()) }

func isNewer(revision, than string) bool {
	order, err := resourceversion.CompareResourceVersion(revision, than)
	return err == nil && order > 0
}

// shows checks that u shows the map as it is now.
func (m *machine) shows(t *rapid.T, u *user, s *mapstore.Snapshot) {
	t.Helper()
	if got := contents(s); !maps.Equal(got, m.data) || s.Exists() != m.exists {
		t.Fatalf("%s holds %q, exists %v, want %q, %v", u.name, got, s.Exists(), m.data, m.exists)
	}
	if m.exists && s.UID() != m.uids[len(m.uids)-1] {
		t.Fatalf("%s shows the UID %s, of %v", u.name, s.UID(), m.uids)
	}
	for _, key := range append(keys, "absent") {
		got, ok := u.Get(key)
		if want, has := m.data[key]; got != want || ok != has {
			t.Fatalf("%s: Get(%s) = %q, %v, want %q, %v", u.name, key, got, ok, want, has)
		}
	}
}

// wrote takes the end of a write of u after which the map should hold next, and
// checks that u sees it.
func (m *machine) wrote(t *rapid.T, u *user, next map[string]string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", u.name, err)
	}
	now := u.Snapshot()
	if !m.exists && len(next) > 0 {
		if slices.Contains(m.uids, now.UID()) {
			t.Fatalf("%s has created the map and shows the UID of an earlier one", u.name)
		}
		m.created(now.UID())
	} else if m.exists && maps.Equal(next, m.data) && u.seen.Revision() == m.revision && now.Revision() != m.revision {
		t.Fatalf("%s: a write that changes nothing has made revision %s of %s", u.name, now.Revision(), m.revision)
	}
	m.data, m.revision = next, now.Revision()
	m.shows(t, u, now)
}

func (m *machine) created(uid types.UID) {
	m.exists = true
	m.uids = append(m.uids, uid)
}

// refused checks that a write of u has ended in the error that it should, and
// that the map is as it was.
func (m *machine) refused(t *rapid.T, u *user, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", u.name, err, want)
	}
	object, err := m.outside.Get(soon(t), m.name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if exists := err == nil; exists != m.exists || exists && object.ResourceVersion != m.revision {
		t.Fatalf("a refused write has left revision %s, exists %v, want %s, %v", object.ResourceVersion, exists, m.revision, m.exists)
	}
}
