package mapstore

import (
	"context"
	"errors"
	"fmt"
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

// watchGrace is how long the watch may take to bring a version. After that the server
// is asked: the watch may be cut off, or may never bring anything, because the revision
// of an absent map is the cluster's and not of a version of the map.
const watchGrace = time.Second

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

// compare is called with the version that was current when a quorum read was asked for, and
// the one that is current after its answer.
func compare(src *source.Source, before, now *Snapshot) {
	if now.rewinds != before.rewinds {
		src.Rewound(before.revision, now.revision)
	}
}

// doubt returns why snapshot may be stale; nil if it is not.
func doubt(src *source.Source, link source.Link, snapshot *Snapshot) error {
	if snapshot.isRestored() {
		return fmt.Errorf("mapstore: serving a backup of %s: %w", snapshot.restored.UTC().Format(time.RFC3339), src.Obstacle(link))
	}
	return src.Doubt(link)
}

// awaitSync blocks until the first sync, as [source.Source.AwaitSync] does.
func awaitSync(ctx context.Context, src *source.Source, asked time.Time, what string) error {
	err := src.AwaitSync(ctx, asked, what)
	if errors.Is(err, watch.ErrClosed) {
		return ErrClosed
	}
	return err
}
