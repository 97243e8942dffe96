package mapstore

import (
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/roster"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A member is a map of a family, there or not.
type member struct {
	feed   *feed
	keeper *keeper // nil if there are no backups
	store  *Store  // nil while nobody has asked for it
}

// members are the maps of a family, and the feeds of its source.
type members struct {
	options Options     // the family's
	logger  logr.Logger // the stores', without the selector
	remote  *remote.Map
	source  *source.Source
	roster  *roster.Roster[*Snapshot]
	ticks   *watch.Var[uint64] // how many changes the roster has had

	mu       sync.Mutex // protects all below
	all      map[string]*member
	revision string // at which all are as their replicas have them; "" before the first list
	resets   uint64 // more than any had that was struck off: whoever knew one notices another
	kept     int    // how many absent ones were left then, as they have stores
	past     Stats  // of stores that were closed, and of maps that were struck off

	versions, resetVersions atomic.Uint64 // of all maps: how many there were, and how many were a Reset
}

// newMembers returns the members of a family, none at first. Stores get a logger of their own.
func newMembers(m *remote.Map, opts Options, logger logr.Logger) *members {
	ms := &members{
		options: opts, logger: logger, remote: m, all: make(map[string]*member),
		roster: roster.New[*Snapshot](), ticks: watch.NewVar(uint64(0)),
	}
	ms.source = newSource(m, ms, opts)
	return ms
}

// optionsOf returns the options of one store.
func (ms *members) optionsOf(name string) Options {
	opts := ms.options
	opts.Logger = ms.logger.WithValues("namespace", ms.remote.Namespace(), "configmap", name)
	opts.Backup = ms.backupOf(name)
	return opts
}

// backupOf returns the file of one map; "" if there are no backups.
func (ms *members) backupOf(name string) string {
	if ms.options.Backup == "" {
		return ""
	}
	return filepath.Join(ms.options.Backup, name)
}

// keeperOf returns the keeper of one map; nil if there are no backups.
func (ms *members) keeperOf(name string, local *replica) *keeper {
	if ms.options.Backup == "" {
		return nil
	}
	return newKeeper(ms.remote.Member(name), ms.source, local, ms.optionsOf(name))
}

// ofLocked returns a member, which begins if there is none of that name.
func (ms *members) ofLocked(name string) *member {
	m, ok := ms.all[name]
	if !ok {
		m = &member{feed: &feed{source: ms.source, local: newReplica()}}
		m.feed.local.begin(ms.resets, nil, ms.noting(name))
		m.keeper = ms.keeperOf(name, m.feed.local)
		ms.all[name] = m
	}
	return m
}

// noting returns what a member's replica is to call with each version.
func (ms *members) noting(name string) func(*Snapshot) {
	return func(now *Snapshot) {
		if before := ms.roster.Get(name); before != nil && before.resets != now.resets {
			ms.resetVersions.Add(1)
		}
		ms.versions.Add(1)
		ms.ticks.Store(ms.roster.Note(name, now))
	}
}

// open returns the store of a map. If there was none, it makes one, and prepares it.
func (ms *members) open(name string, prepare func(*Store)) *Store {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.ofLocked(name)
	if m.store != nil {
		return m.store
	}
	if m.feed.local.load().sequence == 0 && ms.revision != "" {
		m.feed.local.restore(absentSnapshot("", ms.revision))
	}
	m.feed.remote = ms.remote.Member(name)
	m.store = assemble(m.feed, ms.optionsOf(name))
	if m.keeper != nil {
		m.store.keeper = m.keeper
	}
	prepare(m.store)
	return m.store
}

// release gives the map of a store that has ended another replica, which goes on where the
// store's is: the store keeps its last state. It reports whether the store was a map's.
func (ms *members) release(s *Store) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.all[s.Name()]
	if m == nil || m.store != s {
		return false
	}
	next := *m.feed
	next.local = newReplica()
	next.local.begin(m.feed.local.resets, m.feed.local.leave(), ms.noting(s.Name()))
	m.feed, m.store = &next, nil
	if m.keeper != nil {
		m.keeper.local.Store(next.local)
	}
	return true
}

// stores returns the stores that were asked for and not closed, by name.
func (ms *members) stores() []*Store {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	var all []*Store
	for _, name := range slices.Sorted(maps.Keys(ms.all)) {
		if s := ms.all[name].store; s != nil {
			all = append(all, s)
		}
	}
	return all
}

// storeOf returns the store of a map; nil if nobody has asked for it.
func (ms *members) storeOf(name string) *Store {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.all[name]; m != nil {
		return m.store
	}
	return nil
}

// add adds the figures of a store that is being closed to those of the past.
func (ms *members) add(of Stats) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.past.add(of)
}

// sum returns the figures of the past, and those of the backups of all maps.
func (ms *members) sum() Stats {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	sum := ms.past
	for _, m := range ms.all {
		sum.addBackups(m.keeper)
	}
	return sum
}

func (ms *members) keepers() []*keeper {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	all := make([]*keeper, 0, len(ms.all))
	for _, m := range ms.all {
		if m.keeper != nil {
			all = append(all, m.keeper)
		}
	}
	return all
}

func (ms *members) names() []string {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return slices.Collect(maps.Keys(ms.all))
}

func (ms *members) visit(name string, fn func(*feed)) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	fn(ms.ofLocked(name).feed)
}

// maxAbsent is how many maps that are gone a family remembers, in addition to as many as
// there are maps. Whoever remembers one knows that it is another when it comes back.
const maxAbsent = 1000

func (ms *members) Reached(revision string) {
	exist, absent := ms.roster.Count()
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.revision == "" { // Store may have been called since the list was asked for
		for _, m := range ms.all {
			m.feed.local.restore(absentSnapshot("", revision))
		}
	}
	ms.revision = revision
	if absent <= exist+maxAbsent+2*ms.kept {
		return
	}
	gone := ms.roster.Strike(func(name string) bool { return ms.all[name].store == nil })
	for _, name := range gone {
		ms.resets = max(ms.resets, ms.all[name].feed.local.load().resets)
		ms.past.addBackups(ms.all[name].keeper)
		delete(ms.all, name)
	}
	ms.resets++
	ms.kept = absent - len(gone)
	ms.ticks.Store(ms.roster.Sequence())
}

// reached returns the newest revision at which all maps are known; "" before the first list.
func (ms *members) reached() string {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.revision
}

func (ms *members) HasCopy() bool {
	exist, _ := ms.roster.Count()
	return exist > 0
}

func (ms *members) Synced() {
	exist, _ := ms.roster.Count()
	ms.options.Logger.Info("Synced the family", "cluster", ms.remote.Host(), "maps", exist)
}
