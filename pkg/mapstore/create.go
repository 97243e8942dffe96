package mapstore

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/internal/ledger"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
)

// create creates the map, so that the next draft has a version to start from.
func (c *committer) create(ctx context.Context, base *Snapshot) ledger.Outcome {
	answered := c.countRequest()
	id := c.turns.NewID(false)
	wanted := c.options.Metadata.clone()
	if wanted.Annotations == nil {
		wanted.Annotations = make(map[string]string, 1)
	}
	wanted.Annotations[ledger.Annotation] = id
	created, fate, err := c.remote.Create(ctx, metav1.ObjectMeta{
		Labels: wanted.Labels, Annotations: wanted.Annotations, OwnerReferences: wanted.OwnerReferences,
	}, func() { c.feed.suspect(ctx) })
	answered(fate)
	switch fate {
	case remote.Applied:
		now := newSnapshot(created)
		evidence := ledger.EvidenceOf(now.version(), id)
		if c.local.install(now, base.rewinds).Exists() {
			return ledger.Outcome{Kind: ledger.Superseded, Evidence: evidence}
		}
		// The copy is newer than the server, which must have gone back in time.
		return ledger.Outcome{Kind: ledger.Unavailable, Err: c.feed.refresh(ctx, remote.Once)}
	case remote.Conflict:
		if apierrors.IsConflict(err) { // somebody else was faster
			if c.feed.refresh(ctx, remote.Once) == nil && c.local.load().Exists() {
				return ledger.Outcome{Kind: ledger.Superseded, Err: err}
			}
			return ledger.Outcome{Kind: ledger.Unavailable, Err: err}
		}
		return ledger.Outcome{Kind: ledger.Refused, Err: err} // there is no such namespace
	case remote.Rejected:
		return ledger.Outcome{Kind: ledger.Refused, Err: err}
	default: // if it was created after all, it holds nothing yet
		return ledger.Outcome{Kind: ledger.Unavailable, Err: err}
	}
}

// confirmAbsent commits a draft that changes nothing, in a map that does not exist: it
// confirms that the map still does not exist.
func (c *committer) confirmAbsent(ctx context.Context) ledger.Outcome {
	switch err := c.feed.refresh(ctx, remote.Once); {
	case remote.IsDenied(err):
		return ledger.Outcome{Kind: ledger.Refused, Err: err}
	case err != nil:
		return ledger.Outcome{Kind: ledger.Unavailable, Err: err}
	case c.local.load().Exists():
		return ledger.Outcome{Kind: ledger.Superseded}
	default:
		return ledger.Outcome{Kind: ledger.Committed}
	}
}
