package mapstore

import (
	"fmt"
	"maps"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
)

// A draft is the next version of the map while transactions are added to it, one after
// the other. Each sees the ones before it. A draft is a [group.Draft].
type draft struct {
	base    *Snapshot
	data    map[string]string   // base's own map until the first write
	written map[string]struct{} // keys that have been set since; nil until the first write
	size    size
}

func newDraft(base *Snapshot) *draft {
	return &draft{base: base, data: base.data, size: base.size()}
}

// Begin returns the map as the next transaction sees it.
func (d *draft) Begin() *Tx { return &Tx{before: d.data} }

// Add makes a transaction part of the draft. If it returns an error, the draft is
// unchanged.
func (d *draft) Add(tx *Tx) error {
	if tx.err != nil {
		return tx.err
	}
	next := d.size
	if tx.cleared {
		next = size{}
	}
	changes, kept := false, 0
	for key, value := range tx.writes {
		old, had := d.data[key]
		if had && !tx.cleared {
			next.remove(key, old)
		}
		if value != nil {
			next.add(key, *value)
			kept++
		}
		changes = changes || had != (value != nil) || had && old != *value
	}
	changes = changes || tx.cleared && kept < len(d.data)
	if !changes {
		return nil
	}
	if err := d.size.checkGrowth(next, d.metadataBytes()); err != nil {
		return err
	}
	if d.base.immutable() {
		return ErrImmutable
	}
	if d.base.ledgerRoom() < ledger.MinRoom {
		return fmt.Errorf("%w: its annotations leave no room for %s", ErrTooLarge, ledger.Annotation)
	}
	d.merge(tx)
	d.size = next
	return nil
}

func (d *draft) merge(tx *Tx) {
	if d.written == nil {
		d.written = make(map[string]struct{})
		d.data = maps.Clone(d.data)
	}
	if tx.cleared || d.data == nil {
		d.data = make(map[string]string)
	}
	for key, value := range tx.writes {
		if value == nil {
			delete(d.data, key)
			continue
		}
		d.data[key] = *value
		d.written[key] = struct{}{}
	}
}

// Changed reports whether a transaction that was added has changed anything.
func (d *draft) Changed() bool { return d.written != nil }

// differs reports whether the draft differs from its base. It may not, even if Changed:
// transactions may have undone each other.
func (d *draft) differs() bool {
	return d.written != nil && !maps.Equal(d.data, d.base.data)
}

func (d *draft) metadataBytes() int {
	if d.base.object == nil {
		return 0
	}
	return d.base.object.ObjectMeta.Size()
}

// configMap returns the object to send. It has the draft's entries, and all else that
// the base has, including its resource version and UID, which guard the request. A
// value that is text goes to data, where kubectl shows it, and any other value to
// binaryData. Entries that were not written stay where they are.
func (d *draft) configMap() *corev1.ConfigMap {
	object := *d.base.object
	object.ObjectMeta = *d.base.object.ObjectMeta.DeepCopy()
	object.Data, object.BinaryData = d.data, nil
	var binary map[string][]byte
	for key := range d.base.object.BinaryData {
		if _, rewritten := d.written[key]; rewritten {
			continue
		}
		if value, ok := d.data[key]; ok {
			binary = put(binary, key, value)
		}
	}
	for key := range d.written {
		if value, ok := d.data[key]; ok && !utf8.ValidString(value) {
			binary = put(binary, key, value)
		}
	}
	if len(binary) > 0 {
		object.BinaryData = binary
		object.Data = maps.Clone(d.data)
		maps.DeleteFunc(object.Data, func(key, _ string) bool {
			_, ok := binary[key]
			return ok
		})
	}
	return &object
}

func put(m map[string][]byte, key, value string) map[string][]byte {
	if m == nil {
		m = make(map[string][]byte)
	}
	m[key] = []byte(value)
	return m
}
