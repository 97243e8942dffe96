package source

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// A sink is the source as the reflector sees it: the store that the reflector writes to.
type sink Source

var (
	_ cache.ReflectorStore         = (*sink)(nil)
	_ cache.ReflectorBookmarkStore = (*sink)(nil)
)

// Replace does nothing: relist has already passed the state to the target.
func (k *sink) Replace([]any, string) error { return nil }

// Add takes a version of the map.
func (k *sink) Add(object any) error { return k.Update(object) }

// Update takes a version of the map.
func (k *sink) Update(object any) error {
	if cm := k.frame(object); cm != nil {
		if !k.remote.Matches(cm) { // a fake clientset knows no selectors
			return k.Delete(cm)
		}
		k.take(cm, true)
	}
	return nil
}

// Delete takes the last version of the map, with the revision of its deletion.
func (k *sink) Delete(object any) error {
	if cm := k.frame(object); cm != nil {
		k.take(cm, false)
	}
	return nil
}

func (k *sink) take(cm *corev1.ConfigMap, isThere bool) {
	k.target.Take(cm, isThere)
	k.target.Reached(cm.ResourceVersion)
}

// Bookmark takes a sign of life.
func (k *sink) Bookmark(revision string) error {
	k.frame(nil)
	k.target.Reached(revision)
	return nil
}

// Resync is never asked for.
func (k *sink) Resync() error { return nil }

// frame notes a sign of life of the server, and returns object if it is the map: a fake
// clientset's watch brings other objects too.
func (k *sink) frame(object any) *corev1.ConfigMap {
	src := (*Source)(k)
	src.Heard()
	if w := src.open.Load(); w != nil {
		w.idle.Reset(src.maxSilence())
	}
	cm, _ := object.(*corev1.ConfigMap)
	if cm == nil || !src.remote.Is(cm) {
		return nil
	}
	return cm
}
