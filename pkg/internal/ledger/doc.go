// Package ledger decides what became of a commit, and whose turn it is to make one.
// Values go in and decisions come out: it has no I/O, no clock and no lock, so that
// tests can try every order of events.
//
// # What became of a commit
//
// A request whose answer is lost may or may not have been applied. So each commit
// writes an id of its own into one annotation of the map, the ledger, which keeps the
// newest 32. A guarded write can only land directly on its base. So once there is a
// later version, the commit either is among that version's ancestors or will never
// land. The ledger of any later version tells which; so does the watch, which shows the
// version that came directly after the base.
//
// A [Resolver] takes one commit from its first request to its outcome: the store tells
// it what happens, as an [Event], and does what it says, as an [Action].
//
// # What proves nothing
//
// Others can write anything into the ledger, even an older ledger. So a ledger that
// shows no commit since the base proves nothing. And a policy may remove the
// annotation: a missing id proves something only if ids are known to arrive
// ([Evidence]), or if somebody else's id is in its place.
//
// # Whose turn it is
//
// Stores that write to one map at the same time take [Turns]. That is a courtesy: it is
// the resource version that keeps them from overwriting each other.
package ledger
