// Package watch holds the newest version of a value and tells its followers what
// changed. It depends on the standard library only.
//
// # Reading
//
// [Var.Load] is one atomic load. It never blocks, whatever writers and followers do.
//
// # Following
//
// A follower goes through the versions of a [Var] in a chain of steps. Its first step
// leads from the value given to [NewVar] to the newest version, and each later step
// starts where the one before ended. Versions that arrive between two steps are
// conflated: the follower goes from the last version it saw straight to the newest. So
// at most one version waits for a follower, however fast the Var changes; a slow
// follower delays only itself; and when the changes stop, the last step ends at the
// current value.
//
// There are three ways to follow:
//
//   - [Var.Subscribe] calls a function, one call at a time, in a goroutine that
//     exists only while there is something to deliver;
//   - [Var.Changes] is the same chain as an iterator, in the caller's goroutine;
//   - [Var.Wait] blocks until the value meets a condition.
//
// # Not promised
//
// A follower may not see every version: use a queue for that. There is no order between
// two followers.
package watch
