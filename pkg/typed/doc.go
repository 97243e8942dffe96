// Package typed makes Go types of the keys of a [mapstore.Store], or of the whole
// map.
//
// [Bind] follows one key as a T: it decodes each new text once, and
// [Value.Load] costs two atomic loads. [Derive] does the same for a struct made
// of many keys of one version. There are codecs for strings, booleans, integers,
// floats, durations, quantities, text, JSON and YAML; your own is two functions,
// and [Codec.Validate] adds a check to any.
//
//	timeout := typed.Bind(store, "timeout", typed.Duration(), 30*time.Second)
//	ctx, cancel := context.WithTimeout(ctx, timeout.Load())
//
// # Rejected values
//
// A value that is malformed or invalid is rejected: the last good one is served,
// other keys are not affected, and [Value.Err], [mapstore.Status].Rejected and the
// log say so without quoting it. What [Value.Set] and [Value.Update] write is
// decoded before it is sent, so that nobody writes what cannot be read.
//
// # Codecs that fail, panic or block
//
// A codec that fails or panics affects its own Value only. So does one that
// blocks, and only those who set, update or close that Value meanwhile wait for
// it, and who closes the store. But while a codec blocks in [Value.Update], all
// writers of the store wait, as for any function given to [mapstore.Store.Update].
package typed
