package mapstore

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// A Status says how far the local copy can be trusted right now.
type Status struct {
	// Synced is true once the copy has been current and followed the API
	// server. It stays true through outages.
	Synced bool
	// Exists, Revision and Bytes describe the copy. Bytes is the size of all values;
	// a ConfigMap can have 1,048,576 bytes of them.
	Exists   bool
	Revision string
	Bytes    int
	// LastContact is when the last answer or watch event, including bookmarks, came
	// from the API server. Zero: never.
	LastContact time.Time
	// Err is why the copy may be stale right now. If it is current, Err says that the map
	// does not exist although [Options].MustExist is set, or is [ErrMissing] if the map
	// lacks something that is required; nil if neither is so.
	Err error
	// WriteErr is why writes do not succeed: what the last one has met, if none has
	// succeeded since. It is nil otherwise, also if what was wrong was wrong with one write
	// only, as when an admission policy refuses a value. It does not set Err: the copy may
	// be current all the same. Nobody tries while nobody writes, so it tells of the past
	// then.
	WriteErr error
	// Restored is set while the copy comes from the file that [Options].Backup names: the
	// time when that was known to be the current state. It is zero once the API server
	// has answered, and Err is not nil until then.
	Restored time.Time
	// Rejected names what the [View]s cannot use right now, sorted. The views of
	// package typed name the keys of Values and Deriveds; a Derived that rejects the
	// map as a whole names its type, in parentheses. Each serves its last good value.
	// Rejected does not set Err: otherwise a typo in a shared map would take all
	// readers out of service at once, though each still works with its last good value.
	// What is required is an exception, because somebody has asked for it.
	Rejected []string
	// Reasons says why, for each name in Rejected. It quotes no value.
	Reasons map[string]string
	// LastFailure is the last call that [Stats] counts in Failures or UnknownOutcomes.
	LastFailure Failure
}

// Status returns the current status. It does no I/O.
func (s *Store) Status() Status {
	// The link first: if it is not synced, the copy may have been confirmed meanwhile, but
	// if it is, the copy cannot be a backup's.
	link := s.feed.source.Link.Load()
	snapshot := s.local.load()
	reasons := s.views.rejected()
	status := Status{
		Synced:      link.Synced,
		Exists:      snapshot.Exists(),
		Revision:    snapshot.Revision(),
		Bytes:       snapshot.size().values,
		LastContact: s.feed.source.LastContact(),
		Restored:    snapshot.restored,
		Rejected:    slices.Sorted(maps.Keys(reasons)),
		Reasons:     reasons,
	}
	if failure := s.committer.failure.Load(); failure != nil {
		status.LastFailure = *failure
	}
	if t := s.committer.trouble.Load(); t != nil {
		status.WriteErr = fmt.Errorf("mapstore: no write has succeeded for %v: %w", time.Since(t.since).Round(time.Millisecond), t.err)
	}
	if status.Err = s.over; !s.isClosed() {
		status.Err = doubt(s.feed.source, link, snapshot)
	}
	if status.Err == nil {
		status.Err = s.lack()
	}
	return status
}

// Check returns Status().Err. It is a healthz.Checker, for a readiness probe:
// mgr.AddReadyzCheck("config", store.Check).
func (s *Store) Check(*http.Request) error { return s.Status().Err }
