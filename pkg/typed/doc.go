// Package typed makes Go types of single keys of a [mapstore.Store], or of the whole
// map.
//
// [Bind] follows one key as a T: it decodes each new text once, and [Value.Load] costs
// one atomic load. [Derive] does the same for a value made of many keys of one version,
// and [Struct] is its function for a struct. There are codecs for strings, booleans,
// integers, floats, durations, quantities, text, lists, JSON and YAML. A codec of your own
// is two functions. [OneOf], [Between] and [Matching] constrain a codec by data, and
// [Codec.Validate] adds any check.
//
//	timeout := typed.Bind(store, "timeout", typed.Duration(), 30*time.Second)
//	ctx, cancel := context.WithTimeout(ctx, timeout.Load())
//
// # Rejected values
//
// A value that is malformed or invalid is rejected: Load still returns the last good
// one, and other keys are not affected. [Value.Err], [mapstore.Status].Rejected and the
// log say so without quoting the value. [Value.Set] and [Value.Update] decode what they
// write before they send it, so that nobody writes what cannot be read.
//
// # One order of things
//
// A Value or Derived is never behind what its program has been told. When
// [mapstore.Store.WaitForSync], WaitFor, WaitUntil, Sync or a write returns, and when a
// callback of the store, of a Value or of a Derived begins, every Value and Derived that
// was bound before is at least as new, or has rejected what came. So the first Load after
// WaitForSync is not the fallback, and a controller that a callback wakes reads what the
// callback was told of. A plain [mapstore.Store.Get] may be a moment ahead of Load.
//
// # Codecs that fail, panic or block
//
// A codec that fails or panics affects only its own Value. One that blocks also delays
// whoever waits for the order above, for a second at most, or until the caller's ctx ends.
// After that, nobody waits for this call of it, except callers who set, update or close
// its Value, or close the store. But while a codec blocks in [Value.Update], all writers
// of the store wait, as for any function given to [mapstore.Store.Update].
package typed
