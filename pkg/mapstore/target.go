package mapstore

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

// A target passes what a source brings to the replicas of its feeds.
type target struct {
	feeds
	source *source.Source
}

// feeds are the feeds of a source.
type feeds interface {
	// names returns the maps that have a feed.
	names() []string
	// visit calls fn with the feed of a map. A family begins one if there is none. Of one map,
	// visit ignores others.
	visit(name string, fn func(*feed))

	// These are a [source.Target]'s.
	Reached(revision string)
	HasCopy() bool
	Synced()
}

// newFeed returns the feed of a map that has a source of its own.
func newFeed(m *remote.Map, opts Options) *feed {
	f := &feed{remote: m, local: newReplica()}
	f.source = newSource(m, &only{f, opts}, opts)
	return f
}

// newSource returns a source that brings the feeds what it has of them.
func newSource(m *remote.Map, feeds feeds, opts Options) *source.Source {
	t := &target{feeds: feeds}
	t.source = source.New(m, t, source.Options{MaxBackoff: opts.MaxBackoff, StaleAfter: opts.StaleAfter, Logger: opts.Logger})
	return t.source
}

// Ask is called before a quorum list is asked for.
func (t *target) Ask() func(*corev1.ConfigMapList) bool {
	asked := make(map[string]*Snapshot)
	for _, name := range t.names() {
		t.visit(name, func(f *feed) { asked[name] = f.local.load() })
	}
	return func(list *corev1.ConfigMapList) bool { return t.listed(list, asked) }
}

// listed passes a list to all feeds, of which asked has the versions that were current when the
// list was asked for. It reports whether the list proves what it says of each.
func (t *target) listed(list *corev1.ConfigMapList, asked map[string]*Snapshot) (proven bool) {
	var from, to *Snapshot // the first pair of versions that show that the server has gone back in time
	proven = true
	take := func(name, position string, answer *Snapshot) {
		t.visit(name, func(f *feed) {
			before, known := asked[name]
			if !known { // of one that has begun since, the list proves nothing but what it has
				before = &Snapshot{rewinds: f.local.load().rewinds}
			}
			now := f.local.confirm(answer, before)
			if now == nil {
				proven = false
				return
			}
			f.rewinds, f.position = now.rewinds, position
			if from == nil && now.rewinds != before.rewinds {
				from, to = before, now
			}
		})
	}
	there := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		item := &list.Items[i]
		there[item.Name] = true
		take(item.Name, item.ResourceVersion, newSnapshot(item))
	}
	for name := range asked {
		if !there[name] {
			take(name, "", absentSnapshot("", list.ResourceVersion))
		}
	}
	if from != nil {
		compare(t.source, from, to)
	}
	return proven
}

// Take takes the next version that the watch brings of a map. The watch leaves none out, except
// of a map that is not in the family for a while.
func (t *target) Take(cm *corev1.ConfigMap, isThere bool) {
	next := absentSnapshot(cm.UID, cm.ResourceVersion)
	if isThere {
		next = newSnapshot(cm)
	}
	t.visit(cm.Name, func(f *feed) {
		next.follows, f.position = f.position, next.revision
		if !isThere {
			f.position = ""
		}
		f.local.install(next, f.rewinds)
	})
}

// IsBehind reports whether a feed has found out, since the last list, that the server has gone
// back in time.
func (t *target) IsBehind() (behind bool) {
	for _, name := range t.names() {
		t.visit(name, func(f *feed) { behind = behind || f.local.load().rewinds != f.rewinds })
	}
	return behind
}

// only is the feed of a source's only map.
type only struct {
	*feed
	options Options
}

func (o *only) names() []string { return []string{o.remote.Name()} }

func (o *only) visit(name string, fn func(*feed)) {
	if name == o.remote.Name() {
		fn(o.feed)
	}
}

func (o *only) Reached(string) {}

func (o *only) HasCopy() bool { return o.local.load().sequence > 0 }

func (o *only) Synced() {
	cluster := o.remote.Host()
	switch now := o.local.load(); {
	case now.Exists():
		o.options.Logger.Info("Synced", "cluster", cluster, "revision", now.revision, "keys", now.Len())
	case o.options.MustExist:
		o.options.Logger.Error(nil, "The map does not exist, though Options.MustExist is set", "cluster", cluster)
	default:
		o.options.Logger.Info("The map does not exist; the first write creates it", "cluster", cluster)
	}
}
