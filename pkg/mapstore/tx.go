package mapstore

import (
	"iter"
	"slices"
)

// A Tx is the map as one transaction sees it: a committed version with the
// transaction's own writes on top. [Store.Update] passes it to its function, which must
// not use it in another goroutine or after it has returned.
type Tx struct {
	before  map[string]string  // what the transaction started from
	cleared bool               // before is hidden by a Clear
	writes  map[string]*string // by key; nil: deleted
	err     error              // the first invalid key
}

// Get returns the value of key, and whether the map has it.
func (tx *Tx) Get(key string) (string, bool) {
	if value, ok := tx.writes[key]; ok {
		if value == nil {
			return "", false
		}
		return *value, true
	}
	if tx.cleared {
		return "", false
	}
	value, ok := tx.before[key]
	return value, ok
}

// Keys returns the keys, sorted. The slice is the caller's.
func (tx *Tx) Keys() []string {
	keys := tx.keys()
	slices.Sort(keys)
	return keys
}

func (tx *Tx) keys() []string {
	var keys []string
	if !tx.cleared {
		for key := range tx.before {
			if _, ok := tx.writes[key]; !ok {
				keys = append(keys, key)
			}
		}
	}
	for key, value := range tx.writes {
		if value != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// Len returns the number of keys.
func (tx *Tx) Len() int { return len(tx.keys()) }

// All iterates over the keys and their current values, in key order. The loop may write:
// it then leaves out keys that it has added or removed.
func (tx *Tx) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, key := range tx.Keys() {
			if value, ok := tx.Get(key); ok && !yield(key, value) {
				return
			}
		}
	}
}

// Set makes value the value of key. An invalid key makes the whole transaction fail with
// [ErrInvalidKey], even if fn returns nil.
func (tx *Tx) Set(key, value string) { tx.write(key, &value) }

// Delete removes key. An absent key is no error; an invalid key is, as for Set.
func (tx *Tx) Delete(key string) { tx.write(key, nil) }

// Clear removes all keys.
func (tx *Tx) Clear() {
	tx.cleared = true
	tx.writes = nil
}

func (tx *Tx) write(key string, value *string) {
	if err := validateKey(key); err != nil {
		if tx.err == nil {
			tx.err = err
		}
		return
	}
	if tx.writes == nil {
		tx.writes = make(map[string]*string)
	}
	tx.writes[key] = value
}
