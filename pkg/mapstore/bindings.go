package mapstore

import (
	"sync"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// bindings is what has callbacks of a store besides the store itself.
type bindings struct {
	mu     sync.Mutex // protects all below
	open   map[binding]struct{}
	closed bool
}

// A binding is the states of one [Value] or [Derived], whatever their type.
type binding interface {
	watch.Closer
	Subscriptions() []*watch.Subscription
}

// add makes v end with the store. If that has ended, so has v.
func (b *bindings) add(v binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		watch.CloseAll(v) // nobody follows it yet, so this calls nobody and waits for nobody
		return
	}
	if b.open == nil {
		b.open = make(map[binding]struct{})
	}
	b.open[v] = struct{}{}
}

func (b *bindings) remove(v binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, v)
}

// subscriptions returns those of all that are open.
func (b *bindings) subscriptions() []*watch.Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*watch.Subscription
	for v := range b.open {
		all = append(all, v.Subscriptions()...)
	}
	return all
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
