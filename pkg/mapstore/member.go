package mapstore

import (
	"maps"
	"slices"
	"sync"
)

// A member is a map of a family, there or not.
type member struct {
	feed   *feed
	keeper *keeper // nil if there are no backups
	store  *Store  // nil while nobody has asked for it
}

// Store returns the store of one map, which need not exist: neither yet nor any more. Its
// promises, methods and options are those of every store, except that the family runs it:
// its Start returns [ErrInvalidArgument]. Close ends the store's subscriptions and writes,
// and nothing of the family; it costs little to leave a store open.
//
// Store returns the same store for the same name until that is closed. For a name that
// Kubernetes would refuse, it returns a store whose methods return [ErrInvalidName], and
// which finds the map empty.
func (f *Family) Store(name string) *Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := validateName(f.remote.Namespace(), name); err != nil {
		s := assemble(&feed{source: f.source, remote: f.remote.Member(name), local: newReplica()}, f.optionsOf(name))
		s.family, s.over = f, err
		s.retire()
		s.committer.group.Close(err)
		s.views.close(s.current)
		return s
	}
	m := f.memberLocked(name)
	if m.store != nil {
		return m.store
	}
	if m.feed.local.load().sequence == 0 && f.revision != "" {
		m.feed.local.restore(absentSnapshot("", f.revision))
	}
	m.feed.remote = f.remote.Member(name)
	s := assemble(m.feed, f.optionsOf(name))
	s.family, s.phase = f, running
	if m.keeper != nil {
		s.keeper = m.keeper
	}
	s.committer.begin = sync.OnceFunc(func() { f.commit(s) })
	m.store = s
	if f.phase == closed {
		s.retire()
		s.views.close(s.current)
	}
	return s
}

// optionsOf returns the options of one store.
func (f *Family) optionsOf(name string) Options {
	opts := f.options
	opts.Logger = f.logger.WithValues("namespace", f.remote.Namespace(), "configmap", name)
	opts.Backup = f.backupOf(name)
	return opts
}

// memberLocked returns a member, which begins if there is none of that name.
func (f *Family) memberLocked(name string) *member {
	m, ok := f.members[name]
	if !ok {
		m = &member{feed: &feed{source: f.source, local: newReplica()}}
		m.feed.local.begin(f.resets, nil, f.noting(name))
		m.keeper = f.keeperOf(name, m.feed)
		f.members[name] = m
	}
	return m
}

// noting returns what a member's replica is to call with each version.
func (f *Family) noting(name string) func(*Snapshot) {
	return func(now *Snapshot) { f.ticks.Store(f.roster.Note(name, now)) }
}

// commit begins the committer of a store, which has its first write.
func (f *Family) commit(s *Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.phase {
	case fresh:
		f.waiting = append(f.waiting, s)
	case running:
		f.commitLocked(s)
	default:
		s.committer.close()
	}
}

func (f *Family) commitLocked(s *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == closed {
		s.committer.close()
		return
	}
	f.launch(s)
}

// closeStore ends the store of one map.
func (f *Family) closeStore(s *Store) {
	_, stop := s.end()
	s.calls.Wait()
	if stop != nil {
		stop(ErrClosed)
		<-s.halted
	} else {
		s.committer.close()
	}
	f.detach(s)
	s.views.close(s.current)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.closing, s)
}

// detach gives the map of a store that has ended another replica, which goes on where the
// store's is: the store keeps its last state.
func (f *Family) detach(s *Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[s.Name()]
	if m == nil || m.store != s || f.phase == closed {
		return
	}
	next := *m.feed
	next.local = newReplica()
	next.local.begin(m.feed.local.resets, m.feed.local.leave(), f.noting(s.Name()))
	m.feed, m.store = &next, nil
	f.closing[s] = struct{}{}
	if m.keeper != nil {
		keeper := f.keeperOf(s.Name(), m.feed)
		keeper.saved = m.keeper.saved
		m.keeper = keeper
	}
}

// stores returns the stores that were asked for and not closed, by name.
func (f *Family) stores() []*Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*Store
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		if s := f.members[name].store; s != nil {
			all = append(all, s)
		}
	}
	return all
}

// storeOf returns the store of a map; nil if nobody has asked for it.
func (f *Family) storeOf(name string) *Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.members[name]; m != nil {
		return m.store
	}
	return nil
}
