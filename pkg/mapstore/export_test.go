package mapstore

import "context"

// AwaitOpen is what Open waits for.
func (s *Store) AwaitOpen(ctx context.Context) error { return s.awaitOpen(ctx) }
