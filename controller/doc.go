// Package controller runs stores of package mapstore in a controller-runtime manager, and
// lets their changes and those of typed values enqueue work.
//
//	func setup(mgr manager.Manager, store *mapstore.Store) error {
//		if err := controller.Add(mgr, store); err != nil {
//			return err
//		}
//		return builder.ControllerManagedBy(mgr).Named("settings").
//			WatchesRawSource(controller.Changes(store, controller.EachKey(byName))).
//			Complete(reconciler)
//	}
//
// # What the sources promise
//
//   - No worker of the controller begins before the store is synced. If it cannot be, as
//     the server denies access, the controller fails with what the server said.
//   - Each key that the map has at first is enqueued, and each one that changes after
//     that. Changes are merged while a queue is busy, as queues do; the last state is
//     never missed.
//   - When Reconcile runs because of a change, the store, and each Value that the source
//     follows, is at least as new as that change.
//
// # Why not
//
// source.Kind with &corev1.ConfigMap{} follows all ConfigMaps that the manager's cache
// selects, in a second copy, and its handlers see the whole object, not which keys have
// changed. source.Channel has a buffer that blocks whoever sends when it is full, does not
// wait for a sync, and needs somebody who sends all keys at first.
package controller
