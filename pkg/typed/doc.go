// Package typed makes Go types of single keys of a [mapstore.Store], or of the whole
// map.
//
// [Bind] follows one key as a T: it decodes each new text once, and [Value.Load] costs
// one atomic load. [Derive] does the same for a struct made of many keys of one
// version. There are codecs for strings, booleans, integers, floats, durations,
// quantities, text, JSON and YAML. A codec of your own is two functions, and
// [Codec.Validate] adds a check to any codec.
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
// # Codecs that fail, panic or block
//
// A codec that fails or panics affects only its own Value. So does a codec that blocks:
// only callers who set, update or close that Value meanwhile, or close the store, wait
// for it. But while a codec blocks in [Value.Update], all writers of the store wait, as
// for any function given to [mapstore.Store.Update].
package typed
