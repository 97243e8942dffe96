// Package mapstore turns one Kubernetes ConfigMap into a small, shared,
// reactive key/value map.
//
// A [Store] keeps a local copy of the ConfigMap, answers every read from it,
// sends every write as an Update guarded by the resource version, and tells
// subscribers what changed. Many processes may read and write the same map at
// once; none of them can lose another's update.
//
//	store, err := mapstore.Open(ctx, "settings", mapstore.Options{})
//	value, ok := store.Get("key")
//	err = store.Set(ctx, "key", "value")
//	store.OnChange(func(change mapstore.Change) { … })
//
// [Open] connects as the environment says; [New] takes a client that there is,
// and [Store.Start] is then a controller-runtime Runnable.
//
// # Reading
//
// [Store.Get] and [Store.Snapshot] are one atomic load. They never block and
// never fail; through an outage they serve the last known state, and
// [Store.Status] says how old it is and why. A [Snapshot] is one committed
// version of the map: keys that belong together are read from one. A store
// never goes back in time, except through a Reset (below). Once a write has
// returned, every later read on the same store sees it; other processes see it
// moments later, or use [Store.WaitFor] with the revision, or [Store.Sync].
//
// # Writing
//
// [Store.Update] runs a function as a transaction over any number of keys.
// Transactions are serializable over all processes: each run of the function
// sees a committed state, and what exactly one run wrote takes effect, if
// nobody has written in between; otherwise the function runs again.
// Transactions that wait while a request is in flight share the next request.
// [Store.Set], [Store.Delete] and [Store.Clear] are short transactions.
//
// A write has one of three outcomes:
//
//   - nil: it was applied exactly once, and is durable.
//   - [ErrUnknownOutcome]: it was sent, the answer was lost, and it could not be
//     found out whether it was applied.
//   - any other error: it was not applied.
//
// To find out what a lost answer was, each commit leaves an id in the annotation
// mapstore/commits, which keeps the last 32. So ErrUnknownOutcome is left for
// when the server cannot be asked before the ctx ends, or the traces are gone:
// the map was deleted, the annotation wiped, or more than 32 commits came after.
//
// Invalid keys, names and sizes are errors before anything is sent.
//
// # Following
//
// [Store.OnChange] and [Store.Changes] bring each subscriber a chain of
// changes. The first [Change] starts from an empty map, each later one where the
// one before ended, so folding the deltas always gives the contents of the
// store. Versions that arrive while a subscriber is busy are merged into one
// Change; nothing queues up, and nobody waits for a slow subscriber. When
// writes stop, the last Change is the current state.
//
// Package typed follows keys as Go types. A [View] is what it stands on, and what
// your own indexes and caches can stand on.
//
// # Deletion, recreation, rollback
//
// A ConfigMap that does not exist is an empty map; the first write creates it.
// When it is deleted, its keys are removed; when it is then recreated, or when
// the cluster is restored from an older backup, that arrives as a Change with
// Reset set, and the store goes on from there.
//
// # Bounds
//
// A map has at most 1,048,576 bytes of values, and one version of it waits for
// any subscriber at most. A store holds one watch and one connection, shared
// with others of the same client.
//
// # Not promised
//
// Every intermediate version does not reach every subscriber. A callback runs
// at least once per state that lasts, not per write. Hundreds of writes a
// second from dozens of processes are more than one etcd key can take. Values
// are not secret: whoever may read ConfigMaps reads them.
package mapstore
