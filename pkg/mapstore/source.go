package mapstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A source keeps the replica in sync with the API server. It runs client-go's
// Reflector, the part of a shared informer that lists, watches and reconnects. The
// replica takes the place of the informer's cache. A whole informer would add a second
// copy, an unbounded queue and seven goroutines, and does not let us set its
// reflector's backoff (30 s and more).
type source struct {
	remote  *remote.Map
	local   *replica
	options Options

	link    *watch.Var[link]
	contact atomic.Pointer[time.Time] // the last answer or frame from the server
	watches atomic.Uint64             // how many watches have been opened

	open   atomic.Pointer[stream]    // the newest watch
	denied atomic.Pointer[time.Time] // when the watch was last opened anew because of a denial

	// Used only in the reflector's calls, which come one at a time.
	asked    time.Time // when the last attempt to list or watch began
	listed   bool      // there was a list since the last watch was opened
	rewinds  uint64    // the rewinds of versions that the watch brings: see Snapshot
	position string    // the revision of the last version that the watch brought or began with; "" if none
}

func newSource(remote *remote.Map, local *replica, options Options) *source {
	return &source{remote: remote, local: local, options: options, link: watch.NewVar(link{})}
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

// confirm brings the replica up to date by a quorum read, and returns how often the
// server had gone back in time by then. If it goes back meanwhile, confirm reads again.
func (src *source) confirm(read func() (*Snapshot, error)) (rewinds uint64, err error) {
	for {
		asked := src.local.load()
		answer, err := read()
		if err != nil {
			return 0, err
		}
		src.heard()
		now := src.local.confirm(answer, asked)
		if now == nil {
			continue
		}
		if now.rewinds != asked.rewinds {
			src.options.Logger.Info("The API server has gone back in time; following it", "from", asked.revision, "to", now.revision)
			src.reopen() // the open watch would bring versions from before
		}
		return now.rewinds, nil
	}
}

// list brings the replica up to date, as refresh does, and also returns the server's
// revision.
func (src *source) list(ctx context.Context, t remote.Timeouts) (list *corev1.ConfigMapList, rewinds uint64, err error) {
	rewinds, err = src.confirm(func() (*Snapshot, error) {
		if list, err = src.remote.List(ctx, t); err != nil {
			return nil, err
		}
		if len(list.Items) > 0 {
			return newSnapshot(&list.Items[0]), nil
		}
		return absentSnapshot("", list.ResourceVersion), nil
	})
	return list, rewinds, err
}

// refresh brings the replica up to date by a get, the cheapest quorum read: a list can
// take a tenth of a second longer, when the server has to wait for its watch cache.
func (src *source) refresh(ctx context.Context, t remote.Timeouts) error {
	_, err := src.confirm(func() (*Snapshot, error) {
		object, err := src.remote.Get(ctx, t)
		if err != nil {
			return nil, err
		}
		return newSnapshot(object), nil
	})
	if apierrors.IsNotFound(err) {
		_, _, err = src.list(ctx, t)
	}
	return err
}

// relist calls list, and notes where the next watch begins.
func (src *source) relist(ctx context.Context) (*corev1.ConfigMapList, error) {
	list, rewinds, err := src.list(ctx, remote.Again)
	if err != nil {
		return nil, err
	}
	src.rewinds, src.position = rewinds, ""
	if len(list.Items) > 0 {
		src.position = list.Items[0].ResourceVersion
	}
	return list, nil
}

// watch opens a watch. If the reflector has not listed since the last watch, it first
// lists, to make sure that the server has not gone back in time: a watch from a revision
// that the server has not reached yet would bring nothing until it has.
func (src *source) watch(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
	if !src.listed {
		list, err := src.relist(ctx)
		if err != nil {
			return nil, err
		}
		if older(list.ResourceVersion, options.ResourceVersion) {
			return nil, apierrors.NewResourceExpired(fmt.Sprintf("the server is at revision %s again", list.ResourceVersion))
		}
		// The reflector's own revision may be too old for a server that has just
		// started.
		options.ResourceVersion = list.ResourceVersion
	}
	src.listed = false

	ctx, stop := context.WithCancel(ctx)
	opened := &stream{stop: stop, ended: src.disconnected}
	src.open.Store(opened)
	if src.local.load().rewinds != src.rewinds { // the server has gone back in time since the list
		stop()
	}
	isQuiet := make(chan struct{}, 1)
	answered := make(chan error, 1)
	go func() {
		var err error
		opened.Interface, err = src.remote.Watch(ctx, remote.Timeouts{Connect: remote.Again.Connect, FirstByte: src.maxSilence()}, options, func() {
			select {
			case isQuiet <- struct{}{}:
			default:
			}
		})
		answered <- err
	}()
	for counts := false; ; {
		select {
		case <-isQuiet:
			// A proxy may keep the answer back until there is an event. The list has made the
			// copy current, and the request is on its way: the watch is as good as open.
			counts = true
			src.connected()
		case err := <-answered:
			switch {
			case err == nil:
				src.watches.Add(1)
				src.connected()
				src.heard()
			case counts, ctx.Err() != nil: // it ends as a watch that has brought nothing
				opened.Interface = apiwatch.NewEmptyWatch()
			default:
				stop()
				return nil, err
			}
			// A watch that brings nothing, not even a bookmark, may have lost its server
			// unnoticed. So it is ended after a while, and opening the next one asks the
			// server before the copy counts as stale.
			opened.idle = time.AfterFunc(src.maxSilence(), stop)
			context.AfterFunc(ctx, opened.Interface.Stop) // a transport may not end a body with its ctx
			return opened, nil
		}
	}
}

// reopen ends the watch, so that the next one begins with a list.
func (src *source) reopen() {
	if w := src.open.Load(); w != nil {
		w.stop()
	}
}

// maxSilence is how long a watch may bring nothing. It is more than a second, because
// the reflector counts a watch that ends within its first second as failed if it brought
// nothing.
func (src *source) maxSilence() time.Duration {
	return max(src.options.StaleAfter/2, 1100*time.Millisecond)
}

// suspect is called when the answer to a request that writes is late. If nothing else has
// come from the server meanwhile, it asks the server for a sign of life, and if none comes
// either, the watch is opened anew, which finds out whether the server can be followed. So
// a store that writes notices within seconds that a server hangs, without a short
// StaleAfter; and a server that is only slow keeps the watch. It ends with ctx.
func (src *source) suspect(ctx context.Context) {
	heard := src.contact.Load()
	if heard == nil || time.Since(*heard) < remote.Probe.FirstByte {
		return
	}
	isBusy := apierrors.IsTooManyRequests(src.refresh(ctx, remote.Probe)) // a sign of life too
	if !isBusy && src.contact.Load() == heard && ctx.Err() == nil {
		src.reopen()
	}
}

// deniedInterval is how often a denial may open the watch anew. Some denials are about one
// write only, such as an admission policy's.
const deniedInterval = 30 * time.Second

// met is called with what a request of the caller's has met, or nil. A server goes on
// serving a watch after the right to it was revoked, for minutes. So if it denies
// something else, the watch is opened anew, which finds out what is true for reads.
func (src *source) met(err error) {
	last := src.denied.Load()
	if !remote.IsDenied(err) || last != nil && time.Since(*last) < deniedInterval {
		return
	}
	now := time.Now()
	if src.denied.CompareAndSwap(last, &now) {
		src.reopen()
	}
}

// A stream is a watch, and what to release when it ends.
type stream struct {
	apiwatch.Interface
	stop  context.CancelFunc // ends the watch, or what opens it; for any goroutine
	idle  *time.Timer        // calls stop when the server has been silent for too long
	ended func()
	once  sync.Once
}

// Stop is called by the reflector, for whatever reason the watch has ended.
func (s *stream) Stop() {
	s.once.Do(func() {
		s.idle.Stop()
		s.ended()
	})
	s.stop()
	s.Interface.Stop()
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
	cluster := src.remote.Host()
	switch now := src.local.load(); {
	case now.Exists():
		src.options.Logger.Info("Synced", "cluster", cluster, "revision", now.revision, "keys", now.Len())
	case src.options.MustExist:
		src.options.Logger.Error(nil, "The map does not exist, though Options.MustExist is set", "cluster", cluster)
	default:
		src.options.Logger.Info("The map does not exist; the first write creates it", "cluster", cluster)
	}
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
		if src.local.load().sequence > 0 {
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
