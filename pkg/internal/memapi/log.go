package memapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// A log holds all objects and their history, in place of etcd. Objects in it never
// change: a new version is a new object.
type log struct {
	mu        sync.Mutex // protects all below
	revision  int        // since the beginning; see formatRevision
	compacted int        // the history begins after this revision
	objects   map[types.NamespacedName]*corev1.ConfigMap
	history   []event       // oldest first
	news      chan struct{} // closed and replaced at each commit
	journal   *json.Encoder // nil: there is none
}

// An event is one commit.
type event struct {
	kind     apiwatch.EventType
	object   *corev1.ConfigMap // for a deletion the last version, with the deletion's revision
	before   *corev1.ConfigMap // nil for the first version
	revision int
}

// firstRevision is the revision of an empty server. As with etcd it is not 0, which
// means "any" to a client.
const firstRevision = 1

func formatRevision(revision int) string { return strconv.Itoa(revision + firstRevision) }

func parseRevision(text string) (int, error) {
	revision, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion: invalid value: %q", text))
	}
	return int(revision) - firstRevision, nil
}

func keyOf(object *corev1.ConfigMap) types.NamespacedName {
	return types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
}

// commitLocked makes object the newest version, at the next revision.
func (l *log) commitLocked(kind apiwatch.EventType, object *corev1.ConfigMap) *corev1.ConfigMap {
	key := keyOf(object)
	before := l.objects[key]
	if l.journal != nil {
		if err := l.journal.Encode(record{kind, object}); err != nil {
			panic(err) // as etcd does: no answer, and nothing has changed
		}
	}
	l.revision++
	object.ResourceVersion = formatRevision(l.revision)
	if l.objects == nil {
		l.objects = make(map[types.NamespacedName]*corev1.ConfigMap)
	}
	if kind == apiwatch.Deleted {
		delete(l.objects, key)
	} else {
		l.objects[key] = object
	}
	l.history = append(l.history, event{kind, object, before, l.revision})
	l.wakeLocked()
	return object
}

func (l *log) wakeLocked() {
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}

// newsLocked returns a channel that is closed at the next commit.
func (l *log) newsLocked() <-chan struct{} {
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

// sinceLocked returns what happened after revision.
func (l *log) sinceLocked(revision int) []event {
	first, _ := slices.BinarySearchFunc(l.history, revision+1, func(e event, r int) int { return cmp.Compare(e.revision, r) })
	return l.history[first:]
}

// matchingLocked returns the objects that a list or watch selects, in the order of names.
func (l *log) matchingLocked(req *request) []*corev1.ConfigMap {
	var matching []*corev1.ConfigMap
	for _, object := range l.objects {
		if req.matches(object) {
			matching = append(matching, object)
		}
	}
	slices.SortFunc(matching, func(a, b *corev1.ConfigMap) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return matching
}

// notYetLocked returns the error for a read at a future revision. A real server waits
// for some seconds first.
func (l *log) notYetLocked(revision string) error {
	if revision == "" || revision == "0" {
		return nil
	}
	asked, err := parseRevision(revision)
	if err != nil || asked <= l.revision {
		return err
	}
	return apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %s, current: %s", revision, formatRevision(l.revision)), 1)
}

func (l *log) compact() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history, l.compacted = nil, l.revision
}

func (l *log) rewind(revision string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	target, err := parseRevision(revision)
	if err != nil || target < l.compacted || target > l.revision {
		return false
	}
	for _, e := range slices.Backward(l.sinceLocked(target)) {
		if e.before == nil {
			delete(l.objects, keyOf(e.object))
		} else {
			l.objects[keyOf(e.object)] = e.before
		}
	}
	l.history = slices.Clip(l.history[:len(l.history)-len(l.sinceLocked(target))])
	l.revision = target
	return true
}
