package mapstore

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// A sink is the source as the reflector sees it: the store that the reflector writes to.
type sink source

var (
	_ cache.ReflectorStore         = (*sink)(nil)
	_ cache.ReflectorBookmarkStore = (*sink)(nil)
)

// Replace does nothing: list has already passed the state to the replica, together with
// the version that was current when the request was sent, which only list knows.
func (k *sink) Replace([]any, string) error { return nil }

// Add takes a version of the map.
func (k *sink) Add(object any) error { return k.Update(object) }

// Update takes a version of the map.
func (k *sink) Update(object any) error {
	if cm := k.frame(object); cm != nil {
		k.install(newSnapshot(cm))
	}
	return nil
}

// Delete takes the last version of the map, with the revision of its deletion.
func (k *sink) Delete(object any) error {
	if cm := k.frame(object); cm != nil {
		k.install(absentSnapshot(cm.UID, cm.ResourceVersion))
	}
	return nil
}

// install takes the next version that the watch brings. The watch leaves none out.
func (k *sink) install(next *Snapshot) {
	next.follows, k.position = k.position, next.revision
	k.local.install(next, k.rewinds)
}

// Bookmark takes a sign of life.
func (k *sink) Bookmark(string) error {
	k.frame(nil)
	return nil
}

// Resync is never asked for.
func (k *sink) Resync() error { return nil }

// frame notes a sign of life of the server, and returns object if it is the map: a fake
// clientset's watch brings other objects too.
func (k *sink) frame(object any) *corev1.ConfigMap {
	src := (*source)(k)
	src.heard()
	if w := src.open.Load(); w != nil {
		w.idle.Reset(src.maxSilence())
	}
	cm, _ := object.(*corev1.ConfigMap)
	if cm == nil || !src.remote.Is(cm) {
		return nil
	}
	return cm
}
