package mapstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A committer turns transactions into guarded Updates, one at a time. While one
// request is in flight, waiting transactions gather in the queue; the next
// request carries them all (group commit). A transaction whose attempt was not
// applied goes back to the queue and runs again, on a newer version.
type committer struct {
	remote  *remote
	source  *source
	local   *replica
	options Options
	wake    chan struct{} // holds one token when there may be something in the queue

	mu     sync.Mutex // protects queue and closed, and what transaction and batch say
	queue  []*transaction
	closed bool
}

// A batch is the transactions that one request carries.
type batch struct {
	// Protected by the committer's mutex.
	members []*transaction
	cancel  context.CancelFunc // ends the request; nil until there is one
}

func newCommitter(remote *remote, source *source, local *replica, options Options) *committer {
	return &committer{remote: remote, source: source, local: local, options: options, wake: make(chan struct{}, 1)}
}

// do takes fn through to its outcome.
func (c *committer) do(ctx context.Context, fn func(*Tx) error) (*Snapshot, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.WriteTimeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mapstore: not applied: %w", err)
	}
	t := newTransaction(fn)
	if !c.enqueue(t) {
		return nil, ErrClosed
	}
	return t.await(ctx, c)
}

func (c *committer) enqueue(t *transaction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.queue = append(c.queue, t)
	c.signal()
	return true
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// leave takes a transaction out whose caller gives up. It reports whether the
// transaction is part of a batch, and so of a request that may be in flight,
// and if not, what has kept it from being applied. A request for which nobody
// waits any more is cancelled.
func (c *committer) leave(t *transaction) (inBatch bool, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.gone = true
	if t.batch == nil {
		c.queue = slices.DeleteFunc(c.queue, func(other *transaction) bool { return other == t })
		if t.why == nil {
			return false, c.source.link.Load().err
		}
		return false, t.why
	}
	if t.batch.cancel != nil && !slices.ContainsFunc(t.batch.members, (*transaction).isAwaited) {
		t.batch.cancel()
	}
	return true, nil
}

// run commits until ctx is done.
func (c *committer) run(ctx context.Context) {
	defer c.close()
	if !c.awaitSync(ctx) {
		return
	}
	c.signal() // for those who came while it waited
	retry := newBackoff(c.options.MaxBackoff)
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		again, ok := errors.AsType[*again](c.commit(ctx, retry))
		switch {
		case !ok:
			retry = newBackoff(c.options.MaxBackoff)
		case !again.atOnce && retry.wait(ctx) != nil:
			return
		}
	}
}

// awaitSync blocks until the copy has been synced. Until then transactions
// wait, unless the server denies access: then they end with what it says.
func (c *committer) awaitSync(ctx context.Context) bool {
	for {
		l, err := c.source.link.Wait(ctx, func(l link) bool { return l.synced || l.deniedForLong() })
		if err != nil || l.synced {
			return err == nil
		}
		c.refuse(rejection(l.err))
		select {
		case <-c.wake:
		case <-ctx.Done():
			return false
		}
	}
}

// close ends the transactions that wait, and refuses new ones.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.refuse(fmt.Errorf("%w: not applied", ErrClosed))
}

// refuse ends the transactions that wait.
func (c *committer) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.queue {
		t.outcome <- outcome{err: err}
	}
	c.queue = nil
}

// An again is why a batch was not applied, where its transactions may be.
type again struct {
	why    error
	atOnce bool // without a delay
}

func (a *again) Error() string { return fmt.Sprintf("not applied: %v", a.why) }
func (a *again) Unwrap() error { return a.why }

// commit makes one attempt for everybody in the queue.
func (c *committer) commit(ctx context.Context, retry *backoff) error {
	draft := newDraft(c.local.load())
	batch := &batch{}
	members := c.assemble(ctx, batch, draft)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.depart(batch, members, cancel) {
		return nil
	}
	after, err := c.write(ctx, draft, retry)
	if again, ok := errors.AsType[*again](err); ok {
		c.requeue(batch, again.why)
	} else {
		c.finish(batch, outcome{after, err})
	}
	return err
}

// assemble gives everybody in the queue a turn, each on top of the ones before,
// and returns those whose writes are part of the draft. The others have their
// outcome: an error of their own touches nobody else.
func (c *committer) assemble(ctx context.Context, b *batch, draft *draft) []*transaction {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()

	var members []*transaction
	for _, t := range queue {
		tx := draft.begin()
		if !c.giveTurn(t, b, tx) {
			continue
		}
		var err error
		select {
		case err = <-t.ran:
		case <-ctx.Done(): // a function that never returns must not keep the store from closing
			err = fmt.Errorf("%w: not applied", ErrClosed)
		}
		if err == nil {
			err = draft.add(tx)
		}
		if err != nil {
			t.outcome <- outcome{err: err}
			continue
		}
		members = append(members, t)
	}
	return members
}

// giveTurn lets t run, unless its caller has left. Both happen under the lock,
// so that a caller that leaves later finds its turn waiting.
func (c *committer) giveTurn(t *transaction, b *batch, tx *Tx) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.gone {
		return false
	}
	t.batch = b
	t.turn <- tx
	return true
}

// depart closes the batch before its request is sent. It reports whether
// anybody still waits for the outcome.
func (c *committer) depart(b *batch, members []*transaction, cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.members, b.cancel = members, cancel
	return slices.ContainsFunc(members, (*transaction).isAwaited)
}

func (c *committer) finish(b *batch, end outcome) {
	for _, t := range b.members {
		t.outcome <- end
	}
}

// requeue puts a batch that was not applied back to the front of the queue.
func (c *committer) requeue(b *batch, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var waiting []*transaction
	for _, t := range b.members {
		if t.isAwaited() {
			t.batch, t.why = nil, why
			waiting = append(waiting, t)
		}
	}
	c.queue = append(waiting, c.queue...)
	c.signal()
}

// write brings the draft to the server. It returns a version that contains it,
// an *again if it was not applied but may be, or the error that ends the batch.
func (c *committer) write(ctx context.Context, draft *draft, retry *backoff) (*Snapshot, error) {
	base := draft.base
	if base.Exists() {
		object, id := draft.configMap(), ""
		if draft.changed() {
			id = newCommitID()
			if object.Annotations == nil {
				object.Annotations = make(map[string]string, 1)
			}
			object.Annotations[ledgerAnnotation] = base.ledgerWith(id)
		}
		return c.settle(ctx, base, object, id, retry)
	}
	if len(draft.data) == 0 {
		return c.confirmAbsent(ctx, base)
	}
	return nil, c.create(ctx)
}

// create creates the map, so that there is a version for the draft to be based
// on. It always returns an error: an *again if the draft may be tried on it.
func (c *committer) create(ctx context.Context) error {
	created, err := c.remote.create(ctx, newCommitID())
	switch fate := fateOf(err); {
	case fate == applied:
		c.local.install(newSnapshot(created))
		return &again{atOnce: true}
	case apierrors.IsConflict(err): // somebody else was faster
		_ = c.source.refresh(ctx) // if this fails, the next attempt meets the conflict again
		return &again{why: err}
	case fate == stale, fate == rejected: // stale: there is no such namespace
		return rejection(err)
	default: // if it was created after all, it holds nothing yet
		return &again{why: err}
	}
}

// confirmAbsent commits that nothing changes in a map that does not exist.
func (c *committer) confirmAbsent(ctx context.Context, base *Snapshot) (*Snapshot, error) {
	if err := c.source.refresh(ctx); err != nil {
		if fateOf(err) == rejected {
			return nil, rejection(err)
		}
		return nil, &again{why: err}
	}
	now := c.local.load()
	if now.Exists() {
		return nil, &again{atOnce: true}
	}
	return now, nil
}

// settle sends one request, again and again if need be, until it is known what
// became of it. It may send it again because the base's resource version in it
// lets at most one of them be applied. Without an id the request changes
// nothing and serves to confirm that base is the newest version.
func (c *committer) settle(ctx context.Context, base *Snapshot, object *corev1.ConfigMap, id string, retry *backoff) (*Snapshot, error) {
	var lost error // what an earlier request met, of which it is not known what became
	for {
		if ctx.Err() != nil && lost == nil {
			return nil, &again{why: context.Cause(ctx)}
		}
		answer, resent, err := c.remote.update(ctx, object)
		fate := fateOf(err)
		switch {
		case fate == applied:
			committed := newSnapshot(answer)
			c.local.install(committed)
			return committed, nil
		case id != "" && (fate == unclear || resent):
			lost = err
		case lost != nil:
			// Whatever this request met says nothing about the earlier one.
		case fate == rejected:
			return nil, rejection(err)
		case fate != stale:
			return nil, &again{why: err}
		}

		now, readErr := c.later(ctx, base, retry)
		if readErr != nil {
			if lost == nil {
				return nil, &again{why: err}
			}
			return nil, fmt.Errorf("%w: %w: %w", ErrUnknownOutcome, lost, readErr)
		}
		switch verdict := verdictOn(id, base, now); {
		case verdict == landed:
			return now, nil
		case verdict == missed, verdict == unknowable && lost == nil:
			return nil, &again{why: err, atOnce: true}
		case verdict == unknowable, fate == rejected && lost != nil:
			return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, lost)
		}
	}
}

// later returns a version that was current after now: a newer one than base as
// soon as the watch or a quorum read has brought it, or base itself when the
// read has confirmed it. It keeps trying until ctx ends.
func (c *committer) later(ctx context.Context, base *Snapshot, retry *backoff) (*Snapshot, error) {
	for {
		if now := c.local.load(); now.serial != base.serial {
			return now, nil
		}
		if err := retry.wait(ctx); err != nil { // the watch is often faster than a read
			return nil, err
		}
		if now := c.local.load(); now.serial != base.serial {
			return now, nil
		}
		err := c.source.refresh(ctx)
		if err == nil {
			return c.local.load(), nil
		}
		if fateOf(err) == rejected {
			return nil, err
		}
	}
}
