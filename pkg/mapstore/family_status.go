package mapstore

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Status returns the current status of the family as a whole. It does no I/O.
//
// Exists says whether any of the maps does. Revision is the newest at which all of them are
// known. Bytes are those of the largest map. Rejected and Reasons have names of the form
// "map/key", and WriteErr and LastFailure name the map. Err is as of a store; it is also
// not nil while a store that was asked for lacks what is required of it.
func (f *Family) Status() Status {
	link := f.source.Link.Load()
	status := Status{Synced: link.Synced, LastContact: f.source.LastContact(), Reasons: make(map[string]string)}
	var lacks []error
	restored := &Snapshot{} // the oldest version that comes from a backup
	for _, name := range f.members.roster.Names() {
		now := f.members.roster.Get(name)
		if now == nil {
			continue
		}
		status.Exists = true
		status.Bytes = max(status.Bytes, now.size().values)
		if now.isRestored() && (!restored.isRestored() || now.restored.Before(restored.restored)) {
			restored = now
		}
	}
	status.Restored = restored.restored
	for _, s := range f.members.stores() {
		of := s.Status()
		for name, reason := range of.Reasons {
			status.Rejected = append(status.Rejected, s.Name()+"/"+name)
			status.Reasons[s.Name()+"/"+name] = reason
		}
		if of.WriteErr != nil && status.WriteErr == nil {
			status.WriteErr = fmt.Errorf("%w (ConfigMap %s)", of.WriteErr, s.Name())
		}
		if last := of.LastFailure; last.Time.After(status.LastFailure.Time) {
			status.LastFailure = Failure{last.Time, fmt.Errorf("%w (ConfigMap %s)", last.Err, s.Name())}
		}
		if err := s.lack(); err != nil {
			lacks = append(lacks, fmt.Errorf("%w (ConfigMap %s)", err, s.Name()))
		}
	}
	slices.Sort(status.Rejected)
	status.Revision = f.members.reached()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.phase == closed {
		status.Err = ErrClosed
	} else if status.Err = doubt(f.source, link, restored); status.Err == nil {
		status.Err = errors.Join(lacks...)
	}
	return status
}

// Check returns Status().Err. It is a healthz.Checker.
func (f *Family) Check(*http.Request) error { return f.Status().Err }

// Stats returns the figures of the family: of all maps, and of all stores that it has had, added
// up. Queued and Subscriptions are those of the stores that are open; Lag is the largest.
func (f *Family) Stats() Stats {
	f.mu.Lock() // so that a store that is being closed counts once
	stores := append(slices.Collect(maps.Keys(f.closing)), f.members.stores()...)
	sum := f.members.sum()
	f.mu.Unlock()
	sum.Versions = f.members.versions.Load()
	sum.Resets = f.members.resetVersions.Load()
	sum.Reconnects = f.source.Reconnects()
	sum.Panics += f.callbacks.panics.Load()
	for _, subscription := range f.Subscriptions() {
		sum.Subscriptions++
		sum.Lag = max(sum.Lag, subscription.Lag())
	}
	for _, s := range stores {
		of := s.Stats()
		sum.add(of)
		sum.Queued += of.Queued
		sum.Subscriptions += of.Subscriptions
		sum.Lag = max(sum.Lag, of.Lag)
	}
	return sum
}
