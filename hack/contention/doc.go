// Package contention shows what many stores that write to one map do to each other. It
// runs real stores on the API server in memory, in virtual time: requests and watch
// events take the time that a [Network] says. So a minute takes seconds, no machine's
// noise is in the figures, and a figure can be a test.
//
//	make contention    # writes docs/contention.md
//
// Beside the store, the same writers use what they would have without it
// (RetryOnConflict), and [Limit]: a coordinator who knows everything.
package contention
