package mapstore

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"

	"github.com/unrolled/mapstore/v2/pkg/internal/backup"
	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// A Snapshot is one committed version of the map. It never changes, and may be
// kept and shared freely. The zero value is an empty map that does not exist.
type Snapshot struct {
	data     map[string]string
	object   *corev1.ConfigMap // what the server holds, without managed fields; nil when the map does not exist
	revision string
	uid      types.UID

	stamps []stamp // who has written fields of the object, and when; see Change.Managers

	// The revision of the version directly before this one, if the watch has shown
	// that; else "".
	follows string

	// When this was known to be the current version, if it comes from a backup and no
	// server has confirmed it; else zero. Such a version is never the base of a write.
	restored time.Time

	// Set by the replica before the snapshot is published.
	sequence  uint64    // see Sequence
	resets    uint64    // grows by one with every Reset
	rewinds   uint64    // grows by one with every Reset at which the server had gone back in time
	committed time.Time // when the newest commit in the ledger arrived; zero if unknown
	held      time.Time // when the request to hold back arrived, if there is one
	putBack   bool      // its ledger is an older one that somebody has put back

	sortOnce, countOnce sync.Once
	sorted              []string
	counted             size

	diffing sync.Mutex // protects diffs
	diffs   []diff     // those asked for last, oldest first
}

// A diff remembers in which keys a snapshot differs from an earlier one. It has what tells
// that one from all others, and no pointer, which would keep all earlier versions in memory.
type diff struct {
	sequence, resets uint64
	keys             []string
}

// maxDiffs is how many diffs a snapshot remembers. Nearly all subscribers come from the
// version before; those that are behind come from the one before that, and new ones from
// nothing.
const maxDiffs = 4

// NewSnapshot returns a Snapshot with these values, for testing code that reads one. Its
// Exists is true; its Revision, UID and Sequence are zero. NewSnapshot copies values.
func NewSnapshot(values map[string]string) *Snapshot {
	return newSnapshot(&corev1.ConfigMap{Data: maps.Clone(values)})
}

// newSnapshot makes a snapshot of object, which must not change any more.
func newSnapshot(object *corev1.ConfigMap) *Snapshot {
	trimmed := *object
	trimmed.ManagedFields = nil // a server keeps its own when an Update sends none
	s := &Snapshot{data: object.Data, object: &trimmed, revision: object.ResourceVersion, uid: object.UID, stamps: stampsOf(object)}
	if len(object.BinaryData) > 0 {
		s.data = make(map[string]string, len(object.Data)+len(object.BinaryData))
		maps.Copy(s.data, object.Data)
		for key, value := range object.BinaryData {
			s.data[key] = string(value)
		}
	}
	return s
}

// absentSnapshot returns a map that did not exist at revision. The uid is the deleted
// object's, or "" if it is not known.
func absentSnapshot(uid types.UID, revision string) *Snapshot {
	return &Snapshot{uid: uid, revision: revision}
}

// restoredSnapshot returns the version that is in a backup.
func restoredSnapshot(state *backup.State) *Snapshot {
	s := &Snapshot{data: state.Values, revision: state.Revision, uid: types.UID(state.UID), restored: state.Current}
	if state.Exists {
		s.object = &corev1.ConfigMap{}
	}
	return s
}

// Get returns the value of key, and whether the map has it.
func (s *Snapshot) Get(key string) (string, bool) {
	value, ok := s.data[key]
	return value, ok
}

// Len returns the number of keys.
func (s *Snapshot) Len() int { return len(s.data) }

// Keys returns the keys, sorted. The slice is the caller's.
func (s *Snapshot) Keys() []string { return slices.Clone(s.keys()) }

// All iterates over the keys and values, in key order.
func (s *Snapshot) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, key := range s.keys() {
			if !yield(key, s.data[key]) {
				return
			}
		}
	}
}

// Exists reports whether the ConfigMap exists in this version. A map that does
// not exist is empty.
func (s *Snapshot) Exists() bool { return s.object != nil }

// Revision returns the ConfigMap's resource version. For a map that does not exist, it
// returns a revision at which it did not. Before there is any version it is empty.
func (s *Snapshot) Revision() string { return s.revision }

// UID returns the ConfigMap's UID. A deleted map keeps the UID of the object that was
// deleted. The UID is empty if no object has been seen.
func (s *Snapshot) UID() types.UID { return s.uid }

// Sequence returns the version's number in its store's own count: 1 for the first
// version that the store saw, and one more for each later one. It is zero before the
// first sync. The numbers of two stores are unrelated.
func (s *Snapshot) Sequence() uint64 { return s.sequence }

// String describes the version without its contents, which must not get into a log.
func (s *Snapshot) String() string {
	if !s.Exists() {
		return fmt.Sprintf("absent at revision %q", s.revision)
	}
	return fmt.Sprintf("%d keys at revision %s", s.Len(), s.revision)
}

// GoString is String, for the verb %#v.
func (s *Snapshot) GoString() string { return "mapstore.Snapshot(" + s.String() + ")" }

// equal reports whether two snapshots of the same revision can be the same version. If
// they cannot, the server has gone back in time.
func (s *Snapshot) equal(other *Snapshot) bool {
	if !s.Exists() || !other.Exists() {
		return s.Exists() == other.Exists()
	}
	if s.uid != other.uid || !maps.Equal(s.data, other.data) {
		return false
	}
	partial := s.isRestored() || other.isRestored() // a backup has no annotations
	return partial || maps.Equal(s.object.Annotations, other.object.Annotations)
}

// ledger returns the ids of the last commits.
func (s *Snapshot) ledger() ledger.IDs {
	if s.object == nil {
		return nil
	}
	return ledger.Parse(s.object.Annotations[ledger.Annotation])
}

// signature returns the ledger of a commit on s with this id. It leaves out what somebody
// has put back: what the commits since have done is not in there, and with a newer id in
// front of it nobody could see that.
func (s *Snapshot) signature(id string) string {
	ids := s.ledger()
	if s.putBack {
		ids = nil
	}
	return ids.With(id, s.ledgerRoom())
}

// hold returns the request to hold back, if there is one.
func (s *Snapshot) hold() ledger.Hold {
	if s.object == nil {
		return ledger.Hold{}
	}
	return ledger.ParseHold(s.object.Annotations[ledger.HoldAnnotation])
}

// sight returns what the snapshot shows about whose turn it is.
func (s *Snapshot) sight() ledger.Sight {
	return ledger.Sight{IDs: s.ledger(), Committed: s.committed, Hold: s.hold(), Held: s.held}
}

// ledgerRoom returns how many bytes the ledger can have beside the other annotations.
func (s *Snapshot) ledgerRoom() int {
	room := apivalidation.TotalAnnotationSizeLimitB - len(ledger.Annotation)
	if s.object == nil {
		return room
	}
	for name, value := range s.object.Annotations {
		if name != ledger.Annotation {
			room -= len(name) + len(value)
		}
	}
	return room
}

// version returns what the snapshot shows about commits.
func (s *Snapshot) version() ledger.Version {
	return ledger.Version{
		Sequence: s.sequence,
		Revision: s.revision,
		Follows:  s.follows,
		Absent:   !s.Exists(),
		Resets:   s.resets,
		Rewinds:  s.rewinds,
		IDs:      s.ledger(),
		Hold:     s.hold(),
	}
}

func (s *Snapshot) isRestored() bool { return !s.restored.IsZero() }

func (s *Snapshot) immutable() bool {
	return s.object != nil && s.object.Immutable != nil && *s.object.Immutable
}

func (s *Snapshot) keys() []string {
	s.sortOnce.Do(func() { s.sorted = slices.Sorted(maps.Keys(s.data)) })
	return s.sorted
}

// size is counted on demand: programs that only read do not need it.
func (s *Snapshot) size() size {
	s.countOnce.Do(func() {
		for key, value := range s.data {
			s.counted.add(key, value)
		}
	})
	return s.counted
}

// changedSince returns the sorted keys in which s differs from old. Subscribers who come
// from the same version share the work.
func (s *Snapshot) changedSince(old *Snapshot) []string {
	s.diffing.Lock()
	defer s.diffing.Unlock()
	for _, d := range s.diffs {
		if d.sequence == old.sequence && d.resets == old.resets {
			return d.keys
		}
	}
	if len(s.diffs) == maxDiffs {
		s.diffs = slices.Delete(s.diffs, 0, 1)
	}
	keys := differing(s.data, old.data)
	s.diffs = append(s.diffs, diff{old.sequence, old.resets, keys})
	return keys
}

// differing returns the sorted keys in which two maps differ.
func differing(a, b map[string]string) []string {
	var keys []string
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// A stamp says when somebody last wrote fields of the ConfigMap that are still theirs.
type stamp struct {
	manager, operation string
	time               int64 // in Unix seconds
}

func stampsOf(object *corev1.ConfigMap) []stamp {
	var stamps []stamp
	for _, entry := range object.ManagedFields {
		if entry.Time != nil {
			stamps = append(stamps, stamp{entry.Manager, string(entry.Operation), entry.Time.Unix()})
		}
	}
	return stamps
}
