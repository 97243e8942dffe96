// Package rig is what the measurements stand on: a real API server, clients
// that share nothing and count what they send, maps of a given size, and the
// yardstick for writes, a bare guarded PUT.
package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/kube"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A Rig is one control plane with a namespace to measure in.
type Rig struct {
	Plane     *kube.ControlPlane
	Namespace string
	admin     *Client
}

// Start starts a control plane. It ends with Stop.
func Start(ctx context.Context) (*Rig, error) {
	plane, err := kube.Start(ctx, kube.Options{})
	if err != nil {
		return nil, err
	}
	r := &Rig{Plane: plane}
	if r.Namespace, err = plane.Namespace(ctx, "bench"); err == nil {
		r.admin, err = r.Client()
	}
	if err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return r, nil
}

// Stop ends the control plane.
func (r *Rig) Stop() error {
	r.admin.Close()
	return r.Plane.Stop()
}

// A Client is a clientset that does not share its connections with any other,
// as if it were another process's, and that counts its requests.
type Client struct {
	*kubernetes.Clientset
	*Traffic
	transport *http.Transport
}

// Client returns a new client. Close closes its connections.
func (r *Rig) Client() (*Client, error) {
	config := r.Plane.Config()
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	// What client-go would make, but for its cache of transports.
	transport := utilnet.SetTransportDefaults(&http.Transport{TLSClientConfig: tlsConfig, MaxIdleConnsPerHost: 25})
	authenticated, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, err
	}
	traffic := &Traffic{next: authenticated}
	clientset, err := kubernetes.NewForConfigAndClient(config, &http.Client{Transport: traffic})
	if err != nil {
		return nil, err
	}
	return &Client{clientset, traffic, transport}, nil
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Create creates a map with entries of the given number and size, in place of
// what has that name.
func (r *Rig) Create(ctx context.Context, name string, keys, bytes int) error {
	maps := r.admin.CoreV1().ConfigMaps(r.Namespace)
	_ = maps.Delete(ctx, name, metav1.DeleteOptions{}) // mostly there is none; if it stays, Create says so
	_, err := maps.Create(ctx, Object(r.Namespace, name, keys, bytes), metav1.CreateOptions{})
	return err
}

// Object returns a map with entries of the given number and size.
func Object(namespace, name string, keys, bytes int) *corev1.ConfigMap {
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       make(map[string]string, keys),
	}
	for i := range keys {
		object.Data[Key(i)] = Value(i, bytes)
	}
	return object
}

// Key returns the name of the i-th entry.
func Key(i int) string { return fmt.Sprintf("key-%05d", i) }

// Value returns a value of the given size that differs from that of another i.
func Value(i, bytes int) string {
	digits := fmt.Sprintf("%08d", i)
	return strings.Repeat("x", max(bytes-len(digits), 0)) + digits
}

// Store returns a running store, synced. Close it.
func (r *Rig) Store(ctx context.Context, client kubernetes.Interface, name string) (*mapstore.Store, error) {
	return r.StoreWith(ctx, client, name, mapstore.Options{})
}

// StoreWith does the same with options.
func (r *Rig) StoreWith(ctx context.Context, client kubernetes.Interface, name string, opts mapstore.Options) (*mapstore.Store, error) {
	store, err := mapstore.New(client, r.Namespace, name, opts)
	if err != nil {
		return nil, err
	}
	go store.Start(context.WithoutCancel(ctx)) //nolint:errcheck // it can only fail if the store was closed before
	if err := store.WaitForSync(ctx); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// A Process is a running store with a client of its own, as another process has it.
type Process struct {
	Client *Client
	Store  *mapstore.Store
}

// Process returns a process. Close it.
func (r *Rig) Process(ctx context.Context, name string) (*Process, error) {
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	store, err := r.Store(ctx, client, name)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Process{client, store}, nil
}

// Close closes the store and its connections.
func (p *Process) Close() {
	p.Store.Close()
	p.Client.Close()
}
