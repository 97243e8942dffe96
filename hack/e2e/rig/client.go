// Package rig is what lies between a store and the API server in the tests of
// this folder: clients whose connections can be counted and cut, a network that
// loses what it is told to, and the accounting of counters.
package rig

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// A Client is a Kubernetes client with connections of its own, as another
// process would have.
type Client struct {
	*kubernetes.Clientset
	Dialed atomic.Int64 // connections

	host      string
	transport http.RoundTripper
	dialer    *connrotation.Dialer
}

// NewClient returns a client, which reaches its server by way of net, if that is
// not nil.
func NewClient(config *rest.Config, net *Network) (*Client, error) {
	c := &Client{host: config.Host}
	config = rest.CopyConfig(config)
	config.UserAgent = rest.DefaultKubernetesUserAgent() // the name of the field manager
	c.dialer = connrotation.NewDialer(c.dial)
	config.Dial = c.dialer.DialContext
	if net != nil {
		config.Wrap(net.through)
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	c.transport = httpClient.Transport
	c.Clientset, err = kubernetes.NewForConfigAndClient(config, httpClient)
	return c, err
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.Dialed.Add(1)
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
}

// Cut closes the client's connections. It makes new ones when it needs them.
func (c *Client) Cut() {
	utilnet.CloseIdleConnectionsFor(c.transport)
	c.dialer.CloseAll()
}
