package ledger

// A Version is what one version of the map shows about commits.
type Version struct {
	// Sequence counts the versions that the store's copy has held. It is zero for a
	// version that arrived and was not newer than the copy.
	Sequence uint64
	// Revision is the version's resource version. Follows is the resource version of
	// the version directly before it, if the watch has shown that.
	Revision, Follows string
	// Absent says that the map does not exist.
	Absent bool
	// Resets counts the versions that did not continue the history of the one before.
	// Rewinds counts those among them at which the server had gone back in time.
	Resets, Rewinds uint64
	// IDs is the ledger.
	IDs IDs
	// Hold is the newest request to hold back; the zero Hold if there is none.
	Hold Hold
}

// Evidence says whether ids are known to arrive in the ledger: a policy may remove them.
type Evidence int

// What there can be of evidence.
const (
	Unproven Evidence = iota // no commit of this store has been acknowledged
	Arriving                 // the ledger had the id of the last acknowledged commit
	Stripped                 // the ledger did not have it
)

// EvidenceOf returns what v shows, the version that an acknowledged commit made.
func EvidenceOf(v Version, id string) Evidence {
	if v.contains(id) {
		return Arriving
	}
	return Stripped
}
