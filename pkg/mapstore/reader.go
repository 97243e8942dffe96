package mapstore

import "iter"

// A Reader is one state of the map: a [Snapshot] or a [Tx]. Code that takes a Reader
// works both on a version of the map and inside [Store.Update].
type Reader interface {
	// Get returns the value of key, and whether the map has it.
	Get(key string) (string, bool)
	// Len returns the number of keys.
	Len() int
	// Keys returns the keys, sorted. The slice is the caller's.
	Keys() []string
	// All iterates over the keys and values, in key order.
	All() iter.Seq2[string, string]
}

var (
	_ Reader = (*Snapshot)(nil)
	_ Reader = (*Tx)(nil)
)
