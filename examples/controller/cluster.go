package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// What -cluster can be.
const (
	own     = "own"
	current = "current"
)

//go:embed rbac.yaml
var manifest []byte

// A cluster is where the demo runs, in a namespace of its own.
type cluster struct {
	config    *rest.Config // the viewer's
	client    client.Client
	namespace string
	plane     *kube.ControlPlane // nil when the cluster is not the demo's own
}

// connect starts a control plane, or finds the current cluster, and grants there
// what rbac.yaml says.
func connect(ctx context.Context, which string, out *console) (*cluster, error) {
	c := &cluster{}
	var err error
	switch which {
	case own:
		out.say("Starting a Kubernetes API server and etcd for this demo alone ...")
		if c.plane, err = kube.Start(ctx, kube.Options{Progress: out}); err == nil {
			c.config = c.plane.Config()
		}
	case current:
		c.config, err = config.GetConfig()
	default:
		err = fmt.Errorf("-cluster=%s: it can be %s or %s", which, own, current)
	}
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	out.say("Using the namespace %s of the cluster at %s.", c.namespace, c.config.Host)
	return c, nil
}

func (c *cluster) prepare(ctx context.Context) (err error) {
	if c.client, err = client.New(c.config, client.Options{}); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mapstore-demo-"}}
	if err := c.client.Create(ctx, namespace); err != nil {
		return err
	}
	c.namespace = namespace.Name
	if err := c.grant(ctx); err != nil {
		return err
	}
	return c.awaitGrant(ctx)
}

// grant applies rbac.yaml in the namespace.
func (c *cluster) grant(ctx context.Context) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(
		bytes.ReplaceAll(manifest, []byte("namespace: default"), []byte("namespace: "+c.namespace)))))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var object unstructured.Unstructured
		if err := cmp.Or(err, yaml.Unmarshal(document, &object.Object)); err != nil {
			return err
		}
		if err := c.client.Create(ctx, &object); err != nil {
			return err
		}
	}
}

// awaitGrant returns once the API server decides by what it has been told.
func (c *cluster) awaitGrant(ctx context.Context) error {
	scaler, err := client.New(c.scaler(), client.Options{})
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.namespace, Verb: "watch", Group: "apps", Resource: "deployments"},
		}}
		err := scaler.Create(ctx, review)
		return review.Status.Allowed, err
	})
}

// scaler returns the configuration of a client that is the service account of
// rbac.yaml, and may do no more.
func (c *cluster) scaler() *rest.Config {
	config := rest.CopyConfig(c.config)
	config.Impersonate.UserName = "system:serviceaccount:" + c.namespace + ":scaler"
	return config
}

// close stops the control plane; in somebody's cluster it removes the namespace,
// and all that is in it.
func (c *cluster) close() error {
	if c.plane != nil {
		return c.plane.Stop()
	}
	if c.namespace == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the namespace %s may be left behind: %w", c.namespace, err)
	}
	return nil
}
