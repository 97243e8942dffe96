package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// What -cluster can be.
const (
	own     = "own"
	current = "current"
)

// configPath names the variable that tells mapstore.Open which kubeconfig to use,
// before any other.
const configPath = "MAPSTORE_CLUSTER_CONFIG_PATH"

// A cluster is where the demo's map lives.
type cluster struct {
	config    *rest.Config
	client    kubernetes.Interface // a plain one, as outsiders have it
	namespace string
	name      string             // of the ConfigMap
	plane     *kube.ControlPlane // nil when the cluster is not the demo's own
	opened    bool               // a store may have made the map
}

// connect starts a control plane, or finds the current cluster.
func connect(ctx context.Context, which string, console *console) (*cluster, error) {
	switch which {
	case own:
		return startCluster(ctx, console)
	case current:
		return findCluster(console)
	default:
		return nil, fmt.Errorf("-cluster=%s: it can be %s or %s", which, own, current)
	}
}

func startCluster(ctx context.Context, console *console) (*cluster, error) {
	console.say("Starting a Kubernetes API server and etcd for this demo alone ...")
	if _, err := kube.Build(ctx, console); err != nil {
		return nil, err
	}
	start := time.Now()
	plane, err := kube.Start(ctx, kube.Options{Progress: console})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	c, err := newCluster(plane.Config(), metav1.NamespaceDefault)
	apiServer, etcd, versionErr := plane.Versions(ctx)
	if err := cmp.Or(err, versionErr, os.Setenv(configPath, plane.Kubeconfig())); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	c.plane = plane
	console.say("Kubernetes %s with etcd %s is ready after %s.", apiServer, etcd, short(took))
	return c, nil
}

// findCluster reads the kubeconfig that kubectl would use, and makes sure that
// mapstore.Open uses no other.
func findCluster(console *console) (*cluster, error) {
	// Open prefers the cluster that it runs in, if it does.
	if err := os.Unsetenv("KUBERNETES_SERVICE_HOST"); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = os.Getenv(configPath)
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the current kubeconfig, in %s: %w", strings.Join(rules.GetLoadingPrecedence(), ", "), err)
	}
	namespace, _, err := kubeconfig.Namespace()
	if err != nil {
		return nil, err
	}
	console.say("Using the cluster at %s.", config.Host)
	return newCluster(config, cmp.Or(os.Getenv("NAMESPACE"), namespace))
}

func newCluster(config *rest.Config, namespace string) (*cluster, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	name := "mapstore-demo-" + strings.ToLower(rand.Text()[:6])
	return &cluster{config: config, client: client, namespace: namespace, name: name}, nil
}

// close stops the control plane; in somebody's cluster it removes the map. All
// stores must be closed by then.
func (c *cluster) close() error {
	if c.plane != nil {
		return c.plane.Stop()
	}
	if !c.opened {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.client.CoreV1().ConfigMaps(c.namespace).Delete(ctx, c.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("the ConfigMap %s in the namespace %s may be left behind: %w", c.name, c.namespace, err)
	}
	return nil
}

// open returns a store as most programs open it.
func (c *cluster) open(ctx context.Context) (*mapstore.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	store, err := mapstore.Open(ctx, c.name, mapstore.Options{Namespace: c.namespace})
	c.opened = c.opened || err == nil
	return store, err
}

// openCounted returns a store with a client that counts commits: PUT requests.
func (c *cluster) openCounted(ctx context.Context) (*mapstore.Store, *atomic.Int64, error) {
	var commits atomic.Int64
	config := rest.CopyConfig(c.config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodPut {
				commits.Add(1)
			}
			return next.RoundTrip(request)
		})
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	store, err := mapstore.New(client, c.namespace, c.name, mapstore.Options{})
	if err != nil {
		return nil, nil, err
	}
	go func() { _ = store.Start(ctx) }() // until it is closed
	if err := store.WaitForSync(ctx); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, &commits, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// patch merges a change into the map, without any store, and returns the
// revision that has it.
func (c *cluster) patch(ctx context.Context, patch string) (string, error) {
	after, err := c.client.CoreV1().ConfigMaps(c.namespace).Patch(ctx, c.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return "", err
	}
	return after.ResourceVersion, nil
}
