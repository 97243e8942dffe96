// Package ledger decides what became of a commit, and whose turn it is to make one.
// It takes in values and gives out decisions: there is no I/O in it, no clock and no
// lock, so that every order of events can be tried.
//
// # What became of a commit
//
// A request whose answer is lost may or may not have been applied. So each commit
// writes an id of its own into one annotation of the map, the ledger, which keeps
// the newest 32. A guarded write can only land directly on its base. So once there is
// a later version, either the commit is among that version's ancestors, or it will
// never land. Which of the two is told by the ledger of any later version, or by the
// watch, which shows the version that came directly after the base.
//
// A [Resolver] takes one commit from its first request to its outcome: the store
// tells it what happens, as an [Event], and does what it says, an [Action].
//
// # What proves nothing
//
// Others can write into the ledger what they like, also an older one. So a ledger
// that shows no commit since the base proves nothing. And a policy may take the
// annotation off: that an id is missing proves only something where ids are known to
// arrive ([Evidence]), or where somebody else's stands in its place.
//
// # Whose turn it is
//
// Stores that write to one map at the same time take [Turns]. That is a courtesy:
// what keeps commits apart is the resource version.
package ledger
