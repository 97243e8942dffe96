package mapstore

import (
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// bindings is whose callbacks the store's Close ends besides its own.
type bindings struct {
	mu     sync.Mutex // protects all below
	open   map[watch.Closer]struct{}
	closed bool
}

// add makes v end with the store. If that has ended, so has v.
func (b *bindings) add(v watch.Closer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		watch.CloseAll(v) // nobody follows it yet, so this calls nobody and waits for nobody
		return
	}
	if b.open == nil {
		b.open = make(map[watch.Closer]struct{})
	}
	b.open[v] = struct{}{}
}

func (b *bindings) remove(v watch.Closer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, v)
}

// close ends all, together with the store's own.
func (b *bindings) close(own watch.Closer) {
	b.mu.Lock()
	b.closed = true
	all := []watch.Closer{own}
	for v := range b.open {
		all = append(all, v)
	}
	b.mu.Unlock()
	watch.CloseAll(all...) // without the lock: it waits for callbacks, which may bind and close
}
