package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// A client is a Kubernetes client with connections of its own, which can be
// counted and closed.
type client struct {
	kubernetes.Interface
	dialed atomic.Int64
	close  func()
}

func newClient(config *rest.Config) (*client, error) {
	c := &client{}
	config = rest.CopyConfig(config)
	dial := (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	dialer := connrotation.NewDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		c.dialed.Add(1)
		return dial(ctx, network, address)
	})
	config.Dial = dialer.DialContext
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	c.close = func() {
		utilnet.CloseIdleConnectionsFor(httpClient.Transport)
		dialer.CloseAll()
	}
	c.Interface, err = kubernetes.NewForConfigAndClient(config, httpClient)
	return c, err
}

func encodeCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
