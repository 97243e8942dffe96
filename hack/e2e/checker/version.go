package checker

import (
	"fmt"
	"maps"

	"go.etcd.io/etcd/api/v3/mvccpb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// A version is what etcd held under the map's key from a revision on.
type version struct {
	view
	outsider string // the name of an outsider's edit that made it, or one before
	observed int64  // when the witness was told: it had been committed before
}

func (v version) String() string {
	if !v.exists {
		return fmt.Sprintf("the deletion at %d", v.revision)
	}
	return fmt.Sprintf("version %d", v.revision)
}

// decode reads an object as the API server stores it.
func (w *witness) decode(kv *mvccpb.KeyValue) (version, error) {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(kv.Value, nil, nil)
	if err != nil {
		return version{}, fmt.Errorf("decoding revision %d: %w", kv.ModRevision, err)
	}
	cm, ok := object.(*corev1.ConfigMap)
	if !ok {
		return version{}, fmt.Errorf("revision %d is a %T", kv.ModRevision, object)
	}
	entries := maps.Clone(cm.Data)
	for key, value := range cm.BinaryData {
		if entries == nil {
			entries = make(map[string]string)
		}
		entries[key] = string(value)
	}
	return version{
		view:     view{kv.ModRevision, true, cm.UID, w.pool.takeMap(entries)},
		outsider: cm.Annotations[outsiderAnnotation],
		observed: w.clock.now(),
	}, nil
}
