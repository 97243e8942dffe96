package mapstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

// A Family is many maps that one watch follows: all ConfigMaps of a namespace that a label
// selector matches. [Family.Store] returns the store of one of them. All methods may be
// called from any goroutine.
//
// The stores share the watch, the list that confirms it after each reconnect, and the
// client; an idle one has no goroutine. A map that loses the label leaves the family: for
// its store, it is deleted. docs/scale.md says from how many maps on a family is cheaper
// than a store for each.
//
// A family needs the rights to list and watch ConfigMaps in the namespace, which RBAC cannot
// grant by name, and those of a writer, by name or not, for the maps that it writes.
type Family struct {
	selector  labels.Selector
	remote    *remote.Map
	source    *source.Source
	members   *members
	callbacks callbacks

	mu      sync.Mutex // protects all below
	phase   phase
	launch  func(*Store) // begins a store's committer; set by Start
	stop    context.CancelCauseFunc
	waiting []*Store            // that have had a write before Start
	closing map[*Store]struct{} // whose callbacks have not ended yet

	tasks  sync.WaitGroup // adding to it is protected by mu
	halted chan struct{}  // closed when all tasks have ended
}

// NewFamily returns the family of the ConfigMaps in a namespace that the selector matches,
// in the syntax of kubectl's -l: "app=shop,tier in (web)". Like [New] it does no I/O:
// [Family.Start] runs the family and all its stores.
//
// The options are those of each store, with these differences. Metadata.Labels, for maps
// that a store creates, are completed by the labels that the selector asks for. Backup
// names a folder, which must exist, with a file for each map, named after it. MustExist is
// about the maps that Store was called for, and not about the family as a whole.
//
// NewFamily returns [ErrInvalidName] for a namespace that Kubernetes would refuse, and
// [ErrInvalidArgument] for a nil client, a malformed option, and a selector that is
// malformed or matches maps without labels, as the empty one does. It does so too for a
// selector that does not say which labels a new map has, such as "app in (a,b)" or "app",
// unless Metadata.Labels says it, or MustExist that stores create nothing.
func NewFamily(client kubernetes.Interface, namespace, selector string, opts Options) (*Family, error) {
	if err := validateNamespace(namespace); err != nil {
		return nil, err
	}
	opts, err := checked(client, namespace, "family", opts)
	if err != nil {
		return nil, err
	}
	parsed, err := labels.Parse(selector)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the selector %q: %w", ErrInvalidArgument, selector, err)
	case parsed.Matches(labels.Set{}):
		return nil, fmt.Errorf("%w: the selector %q matches maps without labels, such as kube-root-ca.crt", ErrInvalidArgument, selector)
	}
	opts.Metadata = opts.Metadata.clone()
	opts.Metadata.Labels = labelsFor(parsed, opts.Metadata.Labels)
	if !opts.MustExist && !parsed.Matches(labels.Set(opts.Metadata.Labels)) {
		return nil, fmt.Errorf("%w: the selector %q does not say which labels a new map has; Options.Metadata.Labels can, or Options.MustExist", ErrInvalidArgument, selector)
	}
	if err := opts.Metadata.validate(namespace, "family"); err != nil {
		return nil, err
	}
	f := &Family{
		selector: parsed,
		remote:   remote.NewFamily(client, namespace, parsed, opts.FieldManager),
		closing:  make(map[*Store]struct{}),
		halted:   make(chan struct{}),
	}
	logger := opts.Logger
	opts.Logger = logger.WithValues("namespace", namespace, "selector", selector)
	f.members = newMembers(f.remote, opts, logger)
	f.source = f.members.source
	f.callbacks.logger = opts.Logger
	return f, nil
}

// labelsFor returns labels, and those that the selector asks for in so many words.
func labelsFor(selector labels.Selector, given map[string]string) map[string]string {
	all := maps.Clone(given)
	if all == nil {
		all = make(map[string]string)
	}
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		values := r.Values().UnsortedList()
		switch r.Operator() {
		case selection.Equals, selection.DoubleEquals, selection.In:
			if _, ok := all[r.Key()]; !ok && len(values) == 1 {
				all[r.Key()] = values[0]
			}
		default:
		}
	}
	return all
}

// Start runs the family and its stores, and blocks until ctx is done or Close is called, as
// [Store.Start] does.
func (f *Family) Start(ctx context.Context) error {
	ctx, err := f.begin(ctx)
	if err != nil {
		return err
	}
	<-ctx.Done()
	f.end()
	f.tasks.Wait()
	stores := f.members.stores()
	for _, s := range stores {
		s.retire()
	}
	f.members.finishBackups()
	awaitCalls(f.remote.Calls())
	for _, s := range stores {
		awaitCalls(s.remote.Calls())
	}
	f.source.Link.Close()
	close(f.halted)
	f.close()
	return nil
}

// begin starts what runs until ctx is done.
func (f *Family) begin(ctx context.Context) (context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.phase {
	case closed:
		return nil, ErrClosed
	case running:
		return nil, fmt.Errorf("%w: the family has been started before", ErrInvalidArgument)
	}
	f.phase = running
	ctx, f.stop = context.WithCancelCause(quiet(ctx))
	f.launch = func(s *Store) {
		own, stop := context.WithCancelCause(ctx)
		s.stop = stop
		f.tasks.Go(func() {
			s.committer.run(own)
			close(s.halted)
		})
	}
	f.members.restore()
	f.tasks.Go(func() { f.source.Run(ctx) })
	f.tasks.Go(func() { f.members.keep(ctx) })
	for _, s := range f.waiting {
		f.commitLocked(s)
	}
	f.waiting = nil
	return ctx, nil
}

// end marks the family as closed, and returns its phase before that.
func (f *Family) end() (before phase, stop context.CancelCauseFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.phase = f.phase, closed
	return before, f.stop
}

// close ends all subscriptions.
func (f *Family) close() {
	f.mu.Lock()
	all := slices.Collect(maps.Keys(f.closing))
	f.mu.Unlock()
	for _, s := range append(all, f.members.stores()...) {
		s.views.close(s.current)
	}
	f.members.ticks.Close()
}

// Close ends the family and all its stores, as [Store.Close] does.
func (f *Family) Close() error {
	before, stop := f.end()
	if stop != nil {
		stop(ErrClosed)
		<-f.halted
	}
	if before == fresh {
		for _, s := range f.members.stores() {
			s.retire()
		}
		f.source.Link.Close()
	}
	f.close()
	return nil
}

// Namespace returns the namespace of the family's ConfigMaps.
func (f *Family) Namespace() string { return f.remote.Namespace() }

// Selector returns the family's label selector.
func (f *Family) Selector() string { return f.selector.String() }

// Cluster returns the URL of the API server, as [Store.Cluster] does.
func (f *Family) Cluster() string { return f.remote.Host() }

// NeedLeaderElection tells controller-runtime that every replica of a controller runs the
// family.
func (f *Family) NeedLeaderElection() bool { return false }

// WaitForSync blocks until all maps are current and follow the API server, as
// [Store.WaitForSync] does for one. The family's stores are synced when the family is.
func (f *Family) WaitForSync(ctx context.Context) error {
	if err := awaitSync(ctx, f.source, time.Now(), f.selector.String()); err != nil {
		return err
	}
	var errs []error
	for _, s := range f.members.stores() {
		s.views.settle(ctx, s.Snapshot())
		errs = append(errs, s.lack())
	}
	return errors.Join(errs...)
}

// Verify asks the API server whether the caller may list and watch the namespace's
// ConfigMaps, as [Store.Verify] does. For the rights to one map, ask its store.
func (f *Family) Verify(ctx context.Context) error {
	return verify(ctx, f.remote, []string{"list", "watch"})
}

// Names returns the names of the maps that exist, sorted.
func (f *Family) Names() []string { return f.members.roster.Names() }

// Snapshot returns the newest version of one map, which need not exist. It makes no store.
func (f *Family) Snapshot(name string) *Snapshot {
	if now := f.members.roster.Get(name); now != nil {
		return now
	}
	return &Snapshot{}
}
