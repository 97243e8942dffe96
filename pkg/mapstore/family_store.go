package mapstore

import "sync"

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
		s := assemble(&feed{source: f.source, remote: f.remote.Member(name), local: newReplica()}, f.members.optionsOf(name))
		s.leave, s.over = func() { f.closeStore(s) }, err
		s.retire()
		s.committer.group.Close(err)
		s.views.close(s.current)
		return s
	}
	return f.members.open(name, func(s *Store) {
		s.leave, s.phase = func() { f.closeStore(s) }, running
		s.committer.begin = sync.OnceFunc(func() { f.commit(s) })
		if f.phase == closed {
			s.retire()
			s.views.close(s.current)
		}
	})
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
	if _, ok := f.closing[s]; ok {
		delete(f.closing, s)
		f.members.add(s.Stats())
	}
}

// detach lets go of a store that has ended, and whose callbacks may go on for a while.
func (f *Family) detach(s *Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.phase != closed && f.members.release(s) {
		f.closing[s] = struct{}{}
	}
}
