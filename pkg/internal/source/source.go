// Package source follows ConfigMaps on the API server: one, or those of a family. It knows
// nothing of copies, of writers or of who follows.
package source

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

// A Source keeps a target in sync with the API server. It runs client-go's Reflector, the part
// of a shared informer that lists, watches and reconnects. The target takes the place of the
// informer's cache. A whole informer would add a second copy, an unbounded queue and seven
// goroutines, and does not let us set its reflector's backoff (30 s and more).
type Source struct {
	Link *watch.Var[Link] // the connection to the API server

	remote  *remote.Map // the map, or all of the family
	target  Target
	options Options

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

// A Target takes what a source brings. Its methods are called one at a time.
type Target interface {
	// Ask is called before a quorum list is asked for. What it returns takes the list, and
	// reports whether the list proves what it says.
	Ask() (take func(*corev1.ConfigMapList) (proven bool))
	// Take takes the next version that the watch brings of a ConfigMap: its last one, with the
	// revision of the deletion, if it is there no longer.
	Take(cm *corev1.ConfigMap, isThere bool)
	// Reached is called when the target has all that the server has at a revision.
	Reached(revision string)
	// IsBehind reports whether the target has found out, since the last list, that the server
	// has gone back in time.
	IsBehind() bool
	// HasCopy reports whether there is anything to serve.
	HasCopy() bool
	// Synced is called once, after the first sync.
	Synced()
}

// Options adjust a Source.
type Options struct {
	MaxBackoff time.Duration // between attempts that fail
	StaleAfter time.Duration // how long the server may be silent
	Logger     logr.Logger
}

// New returns a source for a target. Run runs it.
func New(remote *remote.Map, target Target, options Options) *Source {
	return &Source{Link: watch.NewVar(Link{}), remote: remote, target: target, options: options, pause: backoff.New(options.MaxBackoff)}
}

// Run blocks until ctx is done.
func (src *Source) Run(ctx context.Context) {
	src.Link.Store(Link{started: true})
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

// relist brings the target up to date by a quorum list, and returns the list.
func (src *Source) relist(ctx context.Context) (*corev1.ConfigMapList, error) {
	for {
		take := src.target.Ask()
		list, err := src.remote.List(ctx, remote.Again)
		if err != nil {
			return nil, err
		}
		src.Heard()
		if take(list) {
			src.target.Reached(list.ResourceVersion)
			return list, nil
		}
	}
}

// Rewound notes that the server has gone back in time, from one revision to another. The open
// watch would bring versions from before, so the source opens another one.
func (src *Source) Rewound(from, to string) {
	src.options.Logger.Info("The API server has gone back in time; following it", "from", from, "to", to)
	src.Reopen()
}

// Heard notes that the server has sent an answer or a watch event.
func (src *Source) Heard() {
	now := time.Now()
	src.contact.Store(&now)
}

// connected notes that a watch is open.
func (src *Source) connected() {
	before := src.Link.Load()
	if before.Err != nil {
		src.options.Logger.Info("Following the API server again", "after", time.Since(before.since).Round(time.Millisecond).String(), "silent", time.Since(before.heard).Round(time.Millisecond).String())
	}
	after := Link{started: true, Synced: true, recovered: before.recovered}
	if before.Err != nil {
		after.recovered = time.Now()
	}
	src.Link.Store(after)
	if before.Synced {
		return
	}
	src.target.Synced()
}

// syncGrace is how long the first sync may take without a line in the log.
const syncGrace = 3 * time.Second

// late is called when syncGrace has passed.
func (src *Source) late() {
	if l := src.Link.Load(); l.started && !l.Synced && l.Err == nil {
		src.options.Logger.Info("Not synced yet", "cluster", src.remote.Host(), "reason", src.Obstacle(l).Error())
	}
}

// disconnected notes that the watch has ended, for whatever reason.
func (src *Source) disconnected() {
	next := src.Link.Load()
	next.ended = time.Now()
	src.Link.Store(next)
}

// failed notes that an attempt to list or watch has failed with err, unless err is nil.
// It returns err.
func (src *Source) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil { // if ctx has ended, the store is closing
		return err
	}
	next := src.Link.Load()
	if next.Err == nil {
		next.since, next.heard = time.Now(), src.LastContact()
		if src.target.HasCopy() {
			src.options.Logger.Info("Cannot follow the API server; serving the last known state", "reason", discreet(err))
		} else {
			src.options.Logger.Info("Cannot follow the API server yet; there is no copy of the map", "cluster", src.remote.Host(), "reason", discreet(err))
		}
	}
	next.Err, next.asked = err, src.asked
	if !remote.IsDenied(err) {
		next.denied = time.Time{}
	} else if next.denied.IsZero() {
		next.denied = time.Now()
	}
	src.Link.Store(next)
	return err
}

// LastContact returns when the last answer or frame came from the server; zero: never.
func (src *Source) LastContact() time.Time {
	if contact := src.contact.Load(); contact != nil {
		return *contact
	}
	return time.Time{}
}

// Reconnects returns how many watches have been opened after the first one.
func (src *Source) Reconnects() uint64 { return max(src.watches.Load(), 1) - 1 }
