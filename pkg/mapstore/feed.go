package mapstore

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A feed is what there is of a source for one map: the replica that it keeps in sync, and
// quorum reads of that map alone.
type feed struct {
	source *source.Source
	remote *remote.Map // nil in a family while nobody has asked for the map
	local  *replica

	// Used only by a target.
	rewinds  uint64 // the rewinds of versions that the watch brings: see Snapshot
	position string // the revision of the last version that the watch brought or began with; "" if none
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

// confirm brings the replica up to date by a quorum read, and returns how often the
// server had gone back in time by then. If it goes back meanwhile, confirm reads again.
func (f *feed) confirm(read func() (*Snapshot, error)) (rewinds uint64, err error) {
	for {
		asked := f.local.load()
		answer, err := read()
		if err != nil {
			return 0, err
		}
		f.source.Heard()
		if now := f.local.confirm(answer, asked); now != nil {
			compare(f.source, asked, now)
			return now.rewinds, nil
		}
	}
}

// list brings the replica up to date, as refresh does, and also returns the server's
// revision.
func (f *feed) list(ctx context.Context, t remote.Timeouts) (list *corev1.ConfigMapList, rewinds uint64, err error) {
	rewinds, err = f.confirm(func() (*Snapshot, error) {
		if list, err = f.remote.List(ctx, t); err != nil {
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
func (f *feed) refresh(ctx context.Context, t remote.Timeouts) error {
	_, err := f.confirm(func() (*Snapshot, error) {
		object, err := f.remote.Get(ctx, t)
		if err != nil {
			return nil, err
		}
		return newSnapshot(object), nil
	})
	if apierrors.IsNotFound(err) {
		_, _, err = f.list(ctx, t)
	}
	return err
}

// suspect is called when the answer to a request that writes is late. If nothing else has
// come from the server meanwhile, it asks the server for a sign of life, and if none comes
// either, the watch is opened anew, which finds out whether the server can be followed. So
// a store that writes notices within seconds that a server hangs, without a short
// StaleAfter; and a server that is only slow keeps the watch. It ends with ctx.
func (f *feed) suspect(ctx context.Context) {
	heard := f.source.LastContact()
	if heard.IsZero() || time.Since(heard) < remote.Probe.FirstByte {
		return
	}
	isBusy := apierrors.IsTooManyRequests(f.refresh(ctx, remote.Probe)) // a sign of life too
	if !isBusy && f.source.LastContact().Equal(heard) && ctx.Err() == nil {
		f.source.Reopen()
	}
}

// awaitSync blocks until the first sync, as [source.Source.AwaitSync] does.
func awaitSync(ctx context.Context, src *source.Source, asked time.Time, what string) error {
	err := src.AwaitSync(ctx, asked, what)
	if errors.Is(err, watch.ErrClosed) {
		return ErrClosed
	}
	return err
}
