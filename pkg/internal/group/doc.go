// Package group lets callers share requests, which is called group commit: while one
// request is in flight, new callers queue up, and the next request carries them all.
//
// Callers pass a function to [Group.Do]. A driver, one goroutine, takes the queue as a
// [Batch] with [Group.Collect], sends one request for it, and reports the result with
// [Batch.Finish] or [Batch.Retry].
//
// # Whose function runs when
//
// Functions run one after the other, each on what the ones before it have made. Each
// runs in its caller's goroutine: a panic, or the end of the goroutine, affects that
// caller only. So does an error. But a function that fails after seeing uncommitted
// changes may be wrong to fail, so it runs again before its error counts.
//
// # Who leaves
//
// A caller whose ctx ends leaves at once, even while its function's outcome is being
// committed. Only [Batch.SetInFlight] and [Batch.ClearInFlight] say whether a request
// that carries it may be in flight. A caller who leaves before that is told that nothing
// was done; SetInFlight then stops the request from being sent.
//
// # Order
//
// Callers queue in the order in which they came. A call that must be alone shares no
// request. A call that is held back lets others go first, a bounded number of times: 1,
// 3, 7, 15, and from then on 31 batches. So nobody starves, and a call that the server
// never completes takes few turns from the others.
package group
