// Package mapstore turns one Kubernetes ConfigMap into a small, shared,
// reactive key/value map.
//
// A [Store] keeps a local copy of the ConfigMap, answers every read from it,
// sends every write as an Update guarded by the resource version, and tells
// subscribers what changed. Many processes may read and write the same map at
// once; none of them can lose another's update.
//
//	store, err := mapstore.Open(ctx, "settings", mapstore.Options{}) // waits for the API server until ctx ends
//	value, ok := store.Get("key")
//	err = store.Set(ctx, "key", "value")
//	store.OnChange(func(change mapstore.Change) { … })
//
// [Open] connects as the environment says. [New] takes a client that you have, and
// [Store.Start] then runs the store. A Store is a controller-runtime Runnable.
//
// # Reading
//
// [Store.Get] and [Store.Snapshot] are one atomic load. They never block and never fail.
// During an outage they serve the last known state, and [Store.Status] says how old it
// is and why. With [Options].Backup, a program can even start during one, from the state
// that it had last. A [Snapshot] is one committed version of the map: read keys that belong
// together from one Snapshot. A store never goes back in time, except through a Reset
// (below). Once a write has returned, every later read on the same store sees it. Other
// processes see it moments later, or wait for it: [Store.WaitFor] waits for a revision,
// and [Store.Sync] reads the newest one.
//
// # Writing
//
// [Store.Update] runs a function as a transaction over any number of keys. Transactions
// are serializable across all processes. If somebody else has written meanwhile, the
// function runs again; exactly one run takes effect, on a committed state. Transactions
// that wait while a request is in flight share the next request. [Store.Set],
// [Store.Delete] and [Store.Clear] are short transactions.
//
// A write has one of three outcomes:
//
//   - nil: it was applied exactly once, and is durable.
//   - [ErrUnknownOutcome]: it was sent, the answer was lost, and it could not be
//     found out whether it was applied.
//   - any other error: it was not applied.
//
// Each commit leaves an id in the annotation mapstore/commits, which keeps the last 32
// ids. They tell whether a write whose answer was lost has been applied. So
// ErrUnknownOutcome remains only if the server cannot be asked before the ctx ends, or
// if the ids can no longer tell: the map was deleted, the annotation was wiped, or more
// than 32 commits came after the write.
//
// Invalid keys, names and sizes are errors before anything is sent.
//
// # Following
//
// [Store.OnChange] and [Store.Changes] deliver a chain of changes to each subscriber.
// The first [Change] starts from an empty map, each later one where the one before
// ended, so folding the deltas always gives the contents of the store. Versions that
// arrive while a subscriber is busy are merged into one Change: nothing queues up, and
// nobody waits for a slow subscriber. When writes stop, the last Change ends at the
// current state.
//
// Package typed follows keys as Go types. It is built on [View]; your own indexes and
// caches can be, too.
//
// # Deletion, recreation, rollback
//
// A ConfigMap that does not exist is an empty map; the first write creates it. When it
// is deleted, that arrives as a Change in which all keys are removed. When it is then
// recreated, or when the cluster is restored from an older backup, that arrives as a
// Change with Reset set, and the store goes on from there.
//
// # Bounds
//
// A map has at most 1,048,576 bytes of values. At most one version of it waits for each
// subscriber. A store holds one watch, and uses its client's connection, which it shares
// with other stores of that client.
//
// # Not promised
//
// A subscriber may not see every version. A callback runs at least once for each state
// that lasts, not for each write. Hundreds of writes a second from dozens of processes
// are more than one etcd key can take. Values are not secret: anybody who may read
// ConfigMaps can read them.
package mapstore
