package mapstore

import (
	"context"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"

	"github.com/unrolled/mapstore/v2/pkg/internal/cluster"
	"github.com/unrolled/mapstore/v2/pkg/internal/remote"
	"github.com/unrolled/mapstore/v2/pkg/internal/source"
)

// Open connects to the cluster as the environment says, starts a store for the
// ConfigMap name, and waits for its first sync. The store runs until Close; ctx
// bounds only the opening, so give it a deadline: without one, Open waits for as long as
// the API server cannot be reached.
//
// [NewFromEnvironment] says which cluster and namespace Open uses.
//
// If the API server cannot be reached, and the file that opts.Backup names has a state of
// the map, Open returns after two seconds with that; the store goes on trying. A server
// that answers, such as that the map may not be read, is not out of reach: then Open
// returns what it says.
//
// Open returns the errors of NewFromEnvironment and of [Store.WaitForSync].
func Open(ctx context.Context, name string, opts Options) (*Store, error) {
	store, err := NewFromEnvironment(name, opts)
	if err != nil {
		return nil, err
	}
	go store.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was started or closed before
	if err := store.awaitOpen(ctx); err != nil {
		store.Close()
		return nil, fmt.Errorf("%w (cluster %s)", err, store.Cluster())
	}
	return store, nil
}

// NewFromEnvironment returns a store for the ConfigMap name in the cluster that the
// environment names. Like [New], it does no I/O with the API server: [Store.Start] runs
// the store, and nothing waits.
//
// It uses the first of these that applies:
//
//   - for the cluster: the kubeconfig file named by MAPSTORE_CLUSTER_CONFIG_PATH; the
//     cluster that the process runs in, if it has the token of a service account; the
//     kubeconfig files named by KUBECONFIG, or else the one in the home directory.
//   - for the namespace: opts.Namespace; NAMESPACE; the kubeconfig context's namespace;
//     the service account's namespace; "default".
//
// It lifts client-go's limit of 5 requests a second. The store has a connection of
// its own; for many stores in one process, it is cheaper to call New with one client.
//
// It returns [ErrInvalidName] and [ErrInvalidArgument] as New does, and an error that says
// what is wrong with the kubeconfig.
func NewFromEnvironment(name string, opts Options) (*Store, error) {
	config, namespace, err := cluster.FromEnvironment(rest.InClusterConfig)
	if err != nil {
		return nil, fmt.Errorf("mapstore: cannot tell which cluster to use: %w", err)
	}
	if opts.Namespace != "" {
		namespace = opts.Namespace
	}
	config.QPS = -1
	config.UserAgent = "mapstore " + rest.DefaultKubernetesUserAgent()
	// With connections of its own, the store can close them when it is closed itself.
	// Connections that client-go shares can only be closed while they are idle.
	connections := connrotation.NewDialer((&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext)
	config.Dial = connections.DialContext
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("mapstore: cannot use the cluster's configuration: %w", err)
	}
	store, err := New(client, namespace, name, opts)
	if err != nil {
		return nil, err
	}
	store.release = connections.CloseAll
	return store, nil
}

// openGrace is how long the API server may take to answer before Open returns with a
// backup.
const openGrace = 2 * time.Second

// awaitOpen waits for the first sync, or until there is a backup and the API server has
// been out of reach for openGrace.
func (s *Store) awaitOpen(ctx context.Context) error {
	if s.options.Backup == "" {
		return s.WaitForSync(ctx)
	}
	asked := time.Now()
	soon, cancel := context.WithTimeout(ctx, openGrace)
	defer cancel()
	if err := s.awaitSync(soon, asked); soon.Err() == nil {
		return err
	}
	if l, err := s.feed.source.Link.Wait(ctx, func(l source.Link) bool {
		return l.Synced || l.IsDenial(asked) || s.servesBackup() && !remote.IsAnswer(l.Err)
	}); err == nil && s.servesBackup() && !l.IsDenial(asked) {
		return nil
	}
	return s.awaitSync(ctx, asked) // it returns at once, and says why
}

// servesBackup reports whether the copy comes from a backup that Open may return with.
func (s *Store) servesBackup() bool {
	now := s.local.load()
	return now.isRestored() && (now.Exists() || !s.options.MustExist)
}
