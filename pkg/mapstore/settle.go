package mapstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// An again says that a draft was not applied, and why, where its transactions
// may be tried again.
type again struct {
	why    error
	atOnce bool // without a delay
	alone  bool // each by itself: the server refuses the draft, maybe for one of them
	behind bool // each by itself and behind all others: the server does not cope with the draft, maybe for one of them
}

func (a *again) Error() string { return fmt.Sprintf("not applied: %v", a.why) }
func (a *again) Unwrap() error { return a.why }

func rejectedFor(err error) *again {
	return &again{why: rejection(err), atOnce: true, alone: true}
}

// write brings the draft to the server. It returns a version that contains it,
// an *again if it was not applied but may be, or the error that ends the batch.
func (c *committer) write(ctx context.Context, batch *batch, draft *draft, retry *backoff) (*Snapshot, error) {
	base := draft.base
	if base.Exists() {
		object, id := draft.configMap(), ""
		if draft.changed() {
			id = newCommitID(c.turns.author)
			sign(object, base, id)
		}
		if !c.depart(batch) {
			return nil, &again{atOnce: true}
		}
		return c.settle(ctx, base, object, id, retry)
	}
	if len(draft.data) == 0 {
		return c.confirmAbsent(ctx)
	}
	return nil, c.create(ctx, base)
}

// sign adds a commit's id to the ledger of an object that is based on base.
func sign(object *corev1.ConfigMap, base *Snapshot, id string) {
	if object.Annotations == nil {
		object.Annotations = make(map[string]string, 1)
	}
	object.Annotations[ledgerAnnotation] = base.ledgerWith(id)
}

// create creates the map, so that there is a version for the draft to be based
// on.
func (c *committer) create(ctx context.Context, base *Snapshot) *again {
	answered := c.sending()
	created, err := c.remote.create(ctx, newCommitID(c.turns.author))
	answered(apierrors.IsConflict(err))
	switch fate := fateOf(err); {
	case fate == applied:
		if c.local.install(newSnapshot(created), base.era).Exists() {
			return &again{atOnce: true}
		}
		// The copy is from a time that the server has yet to reach again.
		return &again{why: c.source.refresh(ctx)}
	case apierrors.IsConflict(err): // somebody else was faster
		_ = c.source.refresh(ctx) // if this fails, the next attempt meets the conflict again
		return &again{why: err}
	case fate == stale, fate == rejected: // stale: there is no such namespace
		return rejectedFor(err)
	default: // if it was created after all, it holds nothing yet
		return &again{why: err}
	}
}

// confirmAbsent commits that nothing changes in a map that does not exist.
func (c *committer) confirmAbsent(ctx context.Context) (*Snapshot, error) {
	if err := c.source.refresh(ctx); err != nil {
		if fateOf(err) == rejected {
			return nil, rejectedFor(err)
		}
		return nil, &again{why: err}
	}
	now := c.local.load()
	if now.Exists() {
		return nil, &again{atOnce: true}
	}
	return now, nil
}

// errBackInTime is what an answer met that came after a Reset: it may be from
// before the server went back in time.
var errBackInTime = errors.New("the API server has gone back in time")

// maxSendings is how often a request is sent of which the server does not say
// what became of it, before something else is tried.
const maxSendings = 3

// settle sends one request, again and again if need be, until it is known what
// became of it. It may send it again because the base's resource version in it
// lets at most one of them be applied. Without an id the request changes
// nothing and serves to confirm that base is the newest version.
//
// What the server does not cope with must not hold up all that come behind. So
// after some attempts settle sends another request with the same base, a fence,
// which only changes the ledger. If that is applied, the first never will be.
func (c *committer) settle(ctx context.Context, base *Snapshot, object *corev1.ConfigMap, id string, retry *backoff) (*Snapshot, error) {
	claim := newClaim(id, base)
	c.local.expect(claim)
	defer c.local.forget()
	var lost error // what a request met of which it is not known what became
	fenced := false
	for sent := 1; ; sent++ {
		if ctx.Err() != nil && lost == nil {
			return nil, &again{why: context.Cause(ctx)}
		}
		answer, fate, err := c.attempt(ctx, base, object)
		switch {
		case fate == applied:
			committed := newSnapshot(answer)
			switch now := c.local.install(committed, base.era); {
			case now.era != base.era:
				lost = errBackInTime
			case fenced:
				return nil, &again{why: lost, atOnce: true, behind: true}
			default:
				return committed, nil
			}
		case fate == rejected && lost == nil:
			return nil, rejectedFor(err)
		case fate == refused && lost == nil, fate != stale && id == "":
			return nil, &again{why: err}
		case fate == unclear:
			lost = err
		}

		// Even a request that was declined or met a conflict is looked for: the
		// answer may come from somebody in between who did not see the first one.
		now, readErr := c.later(ctx, base, retry)
		if readErr != nil {
			if lost == nil {
				return nil, &again{why: err}
			}
			return nil, fmt.Errorf("%w: %w: %w", ErrUnknownOutcome, lost, readErr)
		}
		verdict := claim.verdict(now)
		if lost != nil {
			verdict = claim.patientVerdict(ctx, now)
		}
		switch {
		case verdict == landed:
			return now, nil
		case verdict == missed, verdict == unknowable && lost == nil:
			return nil, &again{why: err, atOnce: true}
		case lost == nil: // undecided, but it has been answered: it will not land
			return nil, &again{why: err}
		case verdict == unknowable, fate == rejected:
			return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, lost)
		case sent >= maxSendings && !fenced:
			object, fenced = newDraft(base).configMap(), true
			sign(object, base, newCommitID(c.turns.author))
		}
	}
}

// answerGrace is how long the answer to a request may take once there is a newer
// version than the one it was based on. From then on the ledger can tell what
// became of the request, and there is no need to wait for an answer that may be
// lost.
const answerGrace = time.Second

// attempt sends the request once.
func (c *committer) attempt(ctx context.Context, base *Snapshot, object *corev1.ConfigMap) (*corev1.ConfigMap, fate, error) {
	ctx, cancel := context.WithCancel(ctx)
	var observer sync.WaitGroup
	observer.Go(func() {
		if _, err := c.local.current.Wait(ctx, func(now *Snapshot) bool { return now.serial != base.serial }); err != nil {
			return
		}
		select {
		case <-time.After(answerGrace):
			cancel()
		case <-ctx.Done():
		}
	})
	defer observer.Wait()
	defer cancel()
	answered := c.sending()
	answer, fate, err := c.remote.update(ctx, object)
	took := answered(fate == stale)
	if fate == applied || fate == stale {
		c.turns.slot.observe(took)
	}
	return answer, fate, err
}

// later returns a version that was current after now: a newer one than base as
// soon as the watch or a quorum read has brought it, or base itself when the
// read has confirmed it. It keeps trying until ctx ends, or until the server has
// denied the read for long: others wait behind this one.
func (c *committer) later(ctx context.Context, base *Snapshot, retry *backoff) (*Snapshot, error) {
	var denied time.Time // since when
	for {
		// The watch is often faster than a read.
		soon, cancel := context.WithTimeout(ctx, c.turns.slot.length()+retry.next())
		now, err := c.local.current.Wait(soon, func(now *Snapshot) bool { return now.serial != base.serial })
		cancel()
		switch {
		case err == nil:
			return now, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		err = c.source.refresh(ctx)
		switch {
		case err == nil:
			return c.local.load(), nil
		case !isDenied(err):
			denied = time.Time{}
		case denied.IsZero():
			denied = time.Now()
		case time.Since(denied) > denialGrace:
			return nil, err
		}
	}
}
