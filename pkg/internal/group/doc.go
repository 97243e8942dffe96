// Package group lets callers share requests, which is called group commit: while
// one request is in flight, those who come queue up, and the next request carries
// them all.
//
// Callers hand in a function with [Group.Do]. A driver, one goroutine, takes the
// queue as a [Batch] with [Group.Collect], makes one request of it, and says with
// [Batch.Finish] or [Batch.Retry] what became of that.
//
// # Whose function runs when
//
// Functions run one after the other, each on what those before it have made, and
// in their callers' goroutines: a panic, or the end of the goroutine, is the
// caller's alone. An error of one's own touches nobody else. But one that has seen
// what is yet to be committed may be wrong, so its function runs again first.
//
// # Who leaves
//
// A caller whose ctx ends leaves at once, also while its function's outcome is
// being committed. Whether a request that carries it may be in flight is what
// [Batch.SetInFlight] and [Batch.ClearInFlight] say, and nothing else. Who leaves
// before is told that nothing was done, and then SetInFlight does not let the request
// go.
//
// # Order
//
// The queue has the order in which callers came. Who must be alone shares no
// request. Who is held back lets others go first, a bounded number of times: 1, 3,
// 7, 15, and from then on 31 batches. So nobody starves, and a call that the server
// never completes takes few turns from the others.
package group
