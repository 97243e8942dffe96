package mapstore

import "context"

// AwaitOpen is what Open waits for.
func (s *Store) AwaitOpen(ctx context.Context) error { return s.awaitOpen(ctx) }

// Remembered returns how many maps the family knows of, there or not.
func (f *Family) Remembered() int {
	f.members.mu.Lock()
	defer f.members.mu.Unlock()
	return len(f.members.all)
}
