package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// Which cluster a demo can run on.
const (
	Memory  = "memory"
	Local   = "local"
	Current = "current"

	// Usage is the text for a flag.
	Usage = Memory + ": an API server in memory, for ConfigMaps only;\n" +
		Local + ": a control plane that lives as long as the program, and is built first;\n" +
		Current + ": the cluster of the current kubeconfig"
)

// configPath tells mapstore.Open which kubeconfig to use, before any other.
const configPath = "MAPSTORE_CLUSTER_CONFIG_PATH"

// A Cluster is where a demo runs. What opens a store by mapstore.Open gets there too.
type Cluster struct {
	Config    *rest.Config // of an administrator, or of the viewer
	Namespace string
	Client    kubernetes.Interface // a plain one, as outsiders have it
	Plane     *kube.ControlPlane   // nil when the cluster is the viewer's, or in memory
	APIServer APIServer            // nil when the cluster is the viewer's

	stop func() error // ends what was started; nil when the cluster is the viewer's
	Map  string       // the name of a ConfigMap that is removed from the viewer's cluster at the end
}

// An APIServer is a process that can be killed.
type APIServer interface {
	Kill() error                   // by SIGKILL; returns once it is gone
	Restart(context.Context) error // returns once it is ready
}

func connect(ctx context.Context, which string, console *Console) (c *Cluster, err error) {
	switch which {
	case Memory:
		c, err = startInMemory(ctx, console)
	case Local:
		c, err = startCluster(ctx, console)
	case Current:
		c, err = findCluster()
	default:
		err = fmt.Errorf("-cluster=%s: it can be %s, %s or %s", which, Memory, Local, Current)
	}
	if err != nil {
		return nil, err
	}
	console.Say("Using the API server at %s.", c.Config.Host)
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func startCluster(ctx context.Context, console *Console) (*Cluster, error) {
	console.Say("Starting a Kubernetes API server and etcd for this demo alone ...")
	plane, err := kube.Start(ctx, kube.Options{Progress: console})
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(os.Setenv(configPath, plane.Kubeconfig()), os.Unsetenv("NAMESPACE")); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return &Cluster{Config: plane.Config(), Namespace: metav1.NamespaceDefault, Plane: plane, APIServer: plane.APIServer, stop: plane.Stop}, nil
}

// findCluster reads the kubeconfig that kubectl would use, and makes sure that
// mapstore.Open uses no other.
func findCluster() (*Cluster, error) {
	if err := os.Unsetenv("KUBERNETES_SERVICE_HOST"); err != nil { // Open prefers the cluster that it runs in
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = os.Getenv(configPath)
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the current kubeconfig: %w", err)
	}
	namespace, _, err := kubeconfig.Namespace()
	return &Cluster{Config: config, Namespace: cmp.Or(os.Getenv("NAMESPACE"), namespace)}, err
}

func (c *Cluster) close() error {
	if c.stop != nil {
		return c.stop()
	}
	if c.Map == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.Client.CoreV1().ConfigMaps(c.Namespace).Delete(ctx, c.Map, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Edit changes a key as somebody with kubectl would, who knows nothing of stores, and
// returns the revision that has the change.
func (d *Demo) Edit(ctx context.Context, name, key, value string) (revision string, err error) {
	patch := fmt.Sprintf(`{"data":{%q:%q}}`, key, value)
	d.Command("kubectl patch configmap %s -p '%s'", name, patch)
	after, err := d.Client.CoreV1().ConfigMaps(d.Namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return "", err
	}
	return after.ResourceVersion, nil
}

// Apply creates the objects of a manifest, as kubectl apply would.
func (c *Cluster) Apply(ctx context.Context, manifest []byte) error {
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		var object unstructured.Unstructured
		if err := documents.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		if _, err := client.Resource(resource).Namespace(c.Namespace).Create(ctx, &object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
}

// As applies a manifest that gives a ServiceAccount its rights to the demo's own cluster,
// and returns the configuration of a client that is this account.
func (c *Cluster) As(ctx context.Context, manifest []byte, account string) (*rest.Config, error) {
	if err := c.Apply(ctx, manifest); err != nil {
		return nil, err
	}
	// Once the API server knows of a later grant, it knows of the earlier ones.
	err := c.Plane.Grant(ctx, c.Namespace, "nobody")
	return c.Plane.User("system:serviceaccount:" + c.Namespace + ":" + account), err
}
