package ledger

// A Version is what one version of the map tells of commits.
type Version struct {
	// Sequence counts the versions that the store's copy has held. A version that
	// only came by has none.
	Sequence uint64
	// Revision is the resource version; Follows is that of the version which this one
	// came directly after, where the watch has shown it.
	Revision, Follows string
	// Absent says that the map does not exist.
	Absent bool
	// Resets counts the versions that did not continue the history of the one before,
	// and Rewinds those of them at which the server had gone back in time.
	Resets, Rewinds uint64
	// IDs is the ledger.
	IDs IDs
}

// Evidence is what is known of whether ids arrive: a policy may take them off.
type Evidence int

const (
	Unproven Evidence = iota // no commit of this store has been acknowledged
	Arriving                 // the last one that was has its id in the ledger
	Stripped                 // it has not
)

// EvidenceOf returns what the version shows that contains an acknowledged commit.
func EvidenceOf(v Version, id string) Evidence {
	if v.contains(id) {
		return Arriving
	}
	return Stripped
}
