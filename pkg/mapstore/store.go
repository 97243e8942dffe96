package mapstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A Store is one ConfigMap as a map that this process shares with others. All
// methods may be called from any goroutine.
type Store struct {
	current   *watch.Var[*Snapshot] // the replica's Var, one step closer for Get
	options   Options
	remote    *remote.Map
	local     *replica
	feed      *feed
	committer *committer
	keeper    *keeper
	leave     func() // leaves the family that runs the store; nil if the store stands alone
	over      error  // what methods return once the store is closed: ErrClosed, or why it could never work
	release   func() // releases what Open has acquired for the store

	views views

	mu     sync.Mutex // protects phase and stop, and adding to calls
	phase  phase
	stop   context.CancelCauseFunc // set when running
	halted chan struct{}           // closed when source and committer have ended
	closed chan struct{}           // closed by whoever sets the phase to closed
	calls  sync.WaitGroup          // requests that callers make in their own goroutines
}

type phase int

const (
	fresh phase = iota
	running
	closed
)

// New returns a store for one ConfigMap, which need not exist. It does no I/O:
// [Store.Start] runs the store. The store uses the client as it is, with its rate
// limit: by default client-go lets a client send 5 requests a second, so twenty Sets,
// one after the other, take seconds. For more, set QPS in the rest.Config (-1: no
// limit; the API server has its own).
//
// With client-go's fake clientset reads, writes and changes work, but it has no
// conflicts and no revisions. So versions count in the order in which they arrive, and
// a late watch event shows an older state for a moment.
//
// New returns [ErrInvalidArgument] for a nil client or a malformed option, and
// [ErrInvalidName] for a namespace or name that Kubernetes would refuse.
func New(client kubernetes.Interface, namespace, name string, opts Options) (*Store, error) {
	if err := validateName(namespace, name); err != nil {
		return nil, err
	}
	opts, err := checked(client, namespace, name, opts)
	if err != nil {
		return nil, err
	}
	opts.Logger = opts.Logger.WithValues("namespace", namespace, "configmap", name)
	remote := remote.New(client, namespace, name, opts.FieldManager)
	return assemble(newFeed(remote, opts), opts), nil
}

// checked returns the options with their defaults, or what is wrong with the arguments.
func checked(client kubernetes.Interface, namespace, name string, opts Options) (Options, error) {
	if client == nil || reflect.ValueOf(client).Kind() == reflect.Pointer && reflect.ValueOf(client).IsNil() {
		return opts, fmt.Errorf("%w: the client is nil", ErrInvalidArgument)
	}
	if opts.Namespace != "" && opts.Namespace != namespace {
		return opts, fmt.Errorf("%w: Options.Namespace is %q, and New was given %q", ErrInvalidArgument, opts.Namespace, namespace)
	}
	opts, err := opts.withDefaults()
	if err != nil {
		return opts, err
	}
	if err := opts.Metadata.validate(namespace, name); err != nil {
		return opts, err
	}
	opts.Metadata = opts.Metadata.clone()
	return opts, nil
}

// assemble makes a store of a feed.
func assemble(feed *feed, opts Options) *Store {
	return &Store{
		current:   feed.local.current,
		options:   opts,
		remote:    feed.remote,
		local:     feed.local,
		feed:      feed,
		committer: newCommitter(feed.remote, feed, feed.local, opts),
		keeper:    newKeeper(feed.remote, feed.source, feed.local, opts),
		over:      ErrClosed,
		release:   func() {},
		views:     views{current: feed.local.current, callbacks: callbacks{logger: opts.Logger}},
		halted:    make(chan struct{}),
		closed:    make(chan struct{}),
	}
}

// Start runs the store, and blocks until ctx is done or Close is called. It makes the
// store a controller-runtime Runnable; the Add of the module controller lets a manager end
// it after the reconcilers, so that their last writes succeed. When Start has returned, nothing
// of the store is running any more, and the store is closed.
//
// Start returns nil when ctx or Close has ended it, [ErrClosed] when the store was
// closed before, and [ErrInvalidArgument] when it is running already.
func (s *Store) Start(ctx context.Context) error {
	if s.leave != nil && !s.isClosed() {
		return fmt.Errorf("%w: the store has been started before, by its family", ErrInvalidArgument)
	}
	ctx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.keeper.restore()
	var tasks sync.WaitGroup
	tasks.Go(func() { s.feed.source.Run(ctx) })
	tasks.Go(func() { s.committer.run(ctx) })
	tasks.Go(func() { s.keeper.run(ctx) })
	tasks.Wait()
	s.end()
	s.calls.Wait()
	s.keeper.finish()
	awaitCalls(s.remote.Calls())

	s.feed.source.Link.Close()
	close(s.halted)
	s.views.close(s.current)
	return nil
}

// awaitCalls waits for calls into the client that nobody else waits for any more. Most
// end at once with their ctx; it leaves the others to themselves after a moment.
func awaitCalls(calls *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		calls.Wait()
		close(ended)
	}()
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

func (s *Store) begin(ctx context.Context) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case closed:
		return nil, s.over
	case running:
		return nil, fmt.Errorf("%w: the store has been started before", ErrInvalidArgument)
	}
	s.phase = running
	ctx, s.stop = context.WithCancelCause(quiet(ctx))
	return ctx, nil
}

// quiet keeps client-go from writing about requests with this ctx to stderr. Their errors
// say what matters.
func quiet(ctx context.Context) context.Context { return logr.NewContext(ctx, logr.Discard()) }

// Close ends the store. Once it has returned, nothing of the store is running: no
// request, no callback. Transactions that wait end with [ErrClosed]. If a request is in
// flight, Close waits up to two seconds for its answer; if none comes, its transactions
// end with [ErrUnknownOutcome]. Reads still serve the last known state.
//
// There is one exception: a call into the client that does not end with its ctx, such
// as one that waits for a credential plugin, may go on until that returns. Its request
// is not sent.
//
// Called from inside a callback, of this store or of another, Close does not wait for
// callbacks; each ends with its current call. Close may be called more than once. It
// returns nil.
func (s *Store) Close() error {
	if s.leave != nil {
		s.leave()
		return nil
	}
	before, stop := s.end()
	s.calls.Wait()
	if stop != nil {
		stop(ErrClosed)
		<-s.halted
	}
	if before == fresh {
		s.committer.close()
		s.feed.source.Link.Close()
	}
	s.views.close(s.current)
	s.release()
	return nil
}

// Namespace returns the ConfigMap's namespace.
func (s *Store) Namespace() string { return s.remote.Namespace() }

// Name returns the ConfigMap's name.
func (s *Store) Name() string { return s.remote.Name() }

// Cluster returns the URL of the API server that the store's client is for, for people to
// read; "" if the client does not tell.
func (s *Store) Cluster() string { return s.remote.Host() }

// NeedLeaderElection tells controller-runtime that every replica of a
// controller runs the store: each keeps its own copy of the map.
func (s *Store) NeedLeaderElection() bool { return false }

// WaitForSync blocks until the copy is current and follows the API server: the map was
// listed, and a watch is open. A watch that the server has neither answered nor refused
// for a second counts as open, since some proxies answer with its first event. If ctx ends
// first, the error says what has prevented that. If the server denies access for three
// seconds, WaitForSync does not wait for ctx: it returns the server's error, which names
// the missing verb. The store keeps trying, and recovers by itself when the right is
// granted; asked again, WaitForSync waits for an answer that is newer than the question.
//
// When WaitForSync has returned nil, every Value and Derived of package typed that was
// bound before is current too, within the limit that [Store.Attach] states. If the copy
// is current and lacks what one of them requires, WaitForSync does not wait for that: it
// returns [ErrMissing], with the names.
//
// With [Options].MustExist, a map that does not exist is an error at once, for which
// apierrors.IsNotFound holds. It returns [ErrClosed] when the store is closed.
func (s *Store) WaitForSync(ctx context.Context) error { return s.awaitSync(ctx, time.Now()) }

// awaitSync is WaitForSync for a question that was asked at that time.
func (s *Store) awaitSync(ctx context.Context, asked time.Time) error {
	waiting := ctx
	if s.leave != nil { // the source outlives the store
		limited, done, err := s.call(ctx)
		if err != nil {
			return err
		}
		defer done()
		waiting = limited
	}
	if err := awaitSync(waiting, s.feed.source, asked, s.remote.Name()); err != nil {
		if errors.Is(context.Cause(waiting), ErrClosed) {
			return ErrClosed
		}
		return err
	}
	s.views.settle(ctx, s.current.Load())
	return s.lack()
}

// lack returns an error if the map must exist and does not, or lacks what a View requires.
func (s *Store) lack() error {
	if s.options.MustExist && !s.local.load().Exists() {
		return s.committer.absence()
	}
	return s.views.lack()
}

// end marks the store as closed, and returns its phase before that.
func (s *Store) end() (before phase, stop context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.phase
	if s.phase != closed {
		s.phase = closed
		close(s.closed)
	}
	return before, s.stop
}

// call begins a request that a caller makes in its own goroutine. The returned ctx ends
// when the store is closed. Close waits until done is called.
func (s *Store) call(ctx context.Context) (_ context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == closed {
		return nil, nil, s.over
	}
	ctx, cancel := context.WithCancelCause(quiet(ctx))
	s.calls.Add(1)
	s.calls.Go(func() {
		select {
		case <-s.closed:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		s.calls.Done()
	}, nil
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == closed
}

// retire ends the writes and calls of a store whose committer does not run.
func (s *Store) retire() {
	s.end()
	s.calls.Wait()
	s.committer.close()
}
