package mapstore

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/unrolled/mapstore/v2/pkg/internal/backoff"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A source keeps feeds in sync with the API server: that of one map, or those of a family.
// It runs client-go's Reflector, the part of a shared informer that lists, watches and
// reconnects. The feeds' replicas take the place of the informer's cache. A whole informer
// would add a second copy, an unbounded queue and seven goroutines, and does not let us set
// its reflector's backoff (30 s and more).
type source struct {
	remote  *remote.Map // the map, or all of the family
	feeds   feeds
	options Options

	link    *watch.Var[link]
	contact atomic.Pointer[time.Time] // the last answer or frame from the server
	watches atomic.Uint64             // how many watches have been opened

	open   atomic.Pointer[stream]    // the newest watch
	denied atomic.Pointer[time.Time] // when the watch was last opened anew because of a denial

	// Used only in the reflector's calls, which come one at a time.
	asked  time.Time        // when the last attempt to list or watch began
	listed bool             // there was a list since the last watch was opened
	began  time.Time        // when the last watch was opened; zero once pace has seen it
	brief  int              // how many watches in a row ended within a second
	pause  *backoff.Backoff // after several such watches
}

// feeds are the feeds of a source.
type feeds interface {
	// names returns the maps that have a feed.
	names() []string
	// visit calls fn with the feed of a map. A family begins one if there is none. Of one map,
	// visit ignores others.
	visit(name string, fn func(*feed))
	// reached is called when all feeds are as the server has them at a revision.
	reached(revision string)
	// hasCopy reports whether there is anything to serve.
	hasCopy() bool
	// synced is called once, after the first sync.
	synced()
}

func newSource(remote *remote.Map, options Options) *source {
	return &source{remote: remote, options: options, link: watch.NewVar(link{}), pause: backoff.New(options.MaxBackoff)}
}

// run blocks until ctx is done.
func (src *source) run(ctx context.Context) {
	src.link.Store(link{started: true})
	defer time.AfterFunc(syncGrace, src.late).Stop()
	// The jitter can double a delay, so the cap is half of MaxBackoff.
	limit := max(src.options.MaxBackoff/2, time.Millisecond)
	silent := logr.Discard() // failed and connected log what matters of the reflector's log
	// It is full during a list, for which the reflector does not wait when it ends.
	listing := make(chan struct{}, 1)
	reflector := cache.NewReflectorWithOptions(listerWatcher{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
			listing <- struct{}{}
			defer func() { <-listing }()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			src.asked = time.Now()
			list, err := src.relist(ctx)
			src.listed = err == nil
			return list, src.failed(ctx, err)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			src.asked = time.Now()
			w, err := src.watch(ctx, options)
			return w, src.failed(ctx, err)
		},
	}}, &corev1.ConfigMap{}, (*sink)(src), cache.ReflectorOptions{
		Logger:  &silent,
		Name:    "mapstore",
		Backoff: &wait.Backoff{Duration: min(20*time.Millisecond, limit), Factor: 2, Jitter: 1, Steps: 64, Cap: limit},
	})
	reflector.RunWithContext(ctx)
	listing <- struct{}{}
	<-listing // a list that begins only now finds that ctx has ended
}

// A listerWatcher makes the reflector list first and then watch. The alternative, one
// watch that begins with the current state, gains nothing for one object, and it never
// syncs on a server that does not send the bookmark after that state.
type listerWatcher struct{ *cache.ListWatch }

func (listerWatcher) IsWatchListSemanticsUnSupported() bool { return true }

// relist brings all feeds up to date by a quorum list, and notes where the next watch
// begins.
func (src *source) relist(ctx context.Context) (*corev1.ConfigMapList, error) {
	for {
		asked := make(map[string]*Snapshot)
		for _, name := range src.feeds.names() {
			src.feeds.visit(name, func(f *feed) { asked[name] = f.local.load() })
		}
		list, err := src.remote.List(ctx, remote.Again)
		if err != nil {
			return nil, err
		}
		src.heard()
		if src.listedAll(list, asked) {
			src.feeds.reached(list.ResourceVersion)
			return list, nil
		}
	}
}

// listedAll passes a list to all feeds, of which asked has the versions that were current
// when the list was asked for. It reports whether the list proves what it says of each.
func (src *source) listedAll(list *corev1.ConfigMapList, asked map[string]*Snapshot) (proven bool) {
	var from, to *Snapshot // the first pair of versions that show that the server has gone back in time
	proven = true
	listed := func(name, position string, answer *Snapshot) {
		src.feeds.visit(name, func(f *feed) {
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
		listed(item.Name, item.ResourceVersion, newSnapshot(item))
	}
	for name := range asked {
		if !there[name] {
			listed(name, "", absentSnapshot("", list.ResourceVersion))
		}
	}
	if from != nil {
		src.compare(from, to)
	}
	return proven
}

// compare is called with the version that was current when a quorum read was asked for, and
// the one that is current after its answer.
func (src *source) compare(before, now *Snapshot) {
	if now.rewinds != before.rewinds {
		src.options.Logger.Info("The API server has gone back in time; following it", "from", before.revision, "to", now.revision)
		src.reopen() // the open watch would bring versions from before
	}
}

// isBehind reports whether a feed has found out, since the last list, that the server has
// gone back in time.
func (src *source) isBehind() (behind bool) {
	for _, name := range src.feeds.names() {
		src.feeds.visit(name, func(f *feed) { behind = behind || f.local.load().rewinds != f.rewinds })
	}
	return behind
}

// heard notes that the server has sent an answer or a watch event.
func (src *source) heard() {
	now := time.Now()
	src.contact.Store(&now)
}

// connected notes that a watch is open.
func (src *source) connected() {
	before := src.link.Load()
	if before.err != nil {
		src.options.Logger.Info("Following the API server again", "after", time.Since(before.since).Round(time.Millisecond).String(), "silent", time.Since(before.heard).Round(time.Millisecond).String())
	}
	after := link{started: true, synced: true, recovered: before.recovered}
	if before.err != nil {
		after.recovered = time.Now()
	}
	src.link.Store(after)
	if before.synced {
		return
	}
	src.feeds.synced()
}

// syncGrace is how long the first sync may take without a line in the log.
const syncGrace = 3 * time.Second

// late is called when syncGrace has passed.
func (src *source) late() {
	if l := src.link.Load(); l.started && !l.synced && l.err == nil {
		src.options.Logger.Info("Not synced yet", "cluster", src.remote.Host(), "reason", src.obstacle(l).Error())
	}
}

// disconnected notes that the watch has ended, for whatever reason.
func (src *source) disconnected() {
	next := src.link.Load()
	next.ended = time.Now()
	src.link.Store(next)
}

// failed notes that an attempt to list or watch has failed with err, unless err is nil.
// It returns err.
func (src *source) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil { // if ctx has ended, the store is closing
		return err
	}
	next := src.link.Load()
	if next.err == nil {
		next.since, next.heard = time.Now(), src.lastContact()
		if src.feeds.hasCopy() {
			src.options.Logger.Info("Cannot follow the API server; serving the last known state", "reason", discreet(err))
		} else {
			src.options.Logger.Info("Cannot follow the API server yet; there is no copy of the map", "cluster", src.remote.Host(), "reason", discreet(err))
		}
	}
	next.err, next.asked = err, src.asked
	if !remote.IsDenied(err) {
		next.denied = time.Time{}
	} else if next.denied.IsZero() {
		next.denied = time.Now()
	}
	src.link.Store(next)
	return err
}
