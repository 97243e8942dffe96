package mapstore

import (
	"maps"
	"slices"
)

// familyFeeds are the feeds of a family.
type familyFeeds Family

func (f *familyFeeds) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.members))
}

func (f *familyFeeds) visit(name string, fn func(*feed)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn((*Family)(f).memberLocked(name).feed)
}

// maxAbsent is how many maps that are gone a family remembers, in addition to as many as
// there are maps. Whoever remembers one knows that it is another when it comes back.
const maxAbsent = 1000

func (f *familyFeeds) Reached(revision string) {
	exist, absent := f.roster.Count()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.revision == "" { // Store may have been called since the list was asked for
		for _, m := range f.members {
			m.feed.local.restore(absentSnapshot("", revision))
		}
	}
	f.revision = revision
	if absent <= exist+maxAbsent+2*f.kept {
		return
	}
	gone := f.roster.Strike(func(name string) bool { return f.members[name].store == nil })
	for _, name := range gone {
		f.resets = max(f.resets, f.members[name].feed.local.load().resets)
		delete(f.members, name)
	}
	f.resets++
	f.kept = absent - len(gone)
	f.ticks.Store(f.roster.Sequence())
}

func (f *familyFeeds) HasCopy() bool {
	exist, _ := f.roster.Count()
	return exist > 0
}

func (f *familyFeeds) Synced() {
	exist, _ := f.roster.Count()
	f.options.Logger.Info("Synced the family", "cluster", f.remote.Host(), "maps", exist)
}
