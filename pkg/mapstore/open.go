package mapstore

import (
	"context"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// Open connects to the cluster as the environment says, starts a store for the
// ConfigMap name, and waits for its first sync. The store runs until Close; ctx
// bounds only the opening.
//
// Open uses the first of these that applies:
//
//   - for the cluster: the kubeconfig file named by MAPSTORE_CLUSTER_CONFIG_PATH; the
//     cluster that the process runs in, if it has the token of a service account; the
//     kubeconfig files named by KUBECONFIG, or else the one in the home directory.
//   - for the namespace: opts.Namespace; NAMESPACE; the kubeconfig context's namespace;
//     the service account's namespace; "default".
//
// Open lifts client-go's limit of 5 requests a second. The store has a connection of
// its own; for many stores in one process, it is cheaper to call New with one client.
//
// Open returns [ErrInvalidName] and [ErrInvalidArgument] as New does, an error that says
// what is wrong with the kubeconfig, and the errors of [Store.WaitForSync].
func Open(ctx context.Context, name string, opts Options) (*Store, error) {
	config, namespace, err := clusterFromEnvironment(rest.InClusterConfig)
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
	go store.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was started or closed before
	if err := store.WaitForSync(ctx); err != nil {
		store.Close()
		return nil, fmt.Errorf("%w (cluster %s)", err, config.Host)
	}
	return store, nil
}
