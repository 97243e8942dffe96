package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
)

// StartReplicated starts a control plane as in production: three members of etcd, two API
// servers, and HAProxy in front of them, configured as kubeadm's documentation has it, which
// Config leads to. The first API server knows the first member only, as one on the same machine
// does, and reaches it by EtcdWire; the second knows the other two. An API server that is asked
// to end first says so to those who ask whether it is ready, and serves for two more seconds.
// Otherwise it is as [Start].
func StartReplicated(ctx context.Context, opts Options) (*ControlPlane, error) {
	if _, err := findHAProxy(); err != nil {
		return nil, err
	}
	opts.Members = 3
	opts.APIServerArgs = append([]string{"--shutdown-delay-duration=2s"}, opts.APIServerArgs...)
	c, err := Start(ctx, opts)
	if err != nil {
		return nil, err
	}
	opts.Peer = c
	peer, err := Start(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	alone := c.stop
	c.Servers = append(c.Servers, peer.Servers...)
	c.serverURLs = append(c.serverURLs, peer.serverURLs...)
	c.stop = func() error {
		var err error
		if c.Balancer != nil {
			err = c.Balancer.Kill()
		}
		return errors.Join(err, peer.Stop(), alone())
	}
	if err := c.balance(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("kube: %w", err), c.Stop())
	}
	return c, nil
}

// balance starts the balancer and makes it what Config leads to.
func (c *ControlPlane) balance(ctx context.Context) (err error) {
	if c.Balancer, err = newBalancer(c.guard.dir, c.serverURLs); err != nil {
		return err
	}
	c.Balancer.probe = func(ctx context.Context) error {
		_, err := get(ctx, c.probes, c.Balancer.url()+"/readyz")
		return err
	}
	if err := c.Balancer.Restart(ctx); err != nil {
		return err
	}
	c.admin.Host = c.Balancer.url()
	if c.client, err = kubernetes.NewForConfig(c.admin); err != nil {
		return err
	}
	return WriteKubeconfig(c.admin, "default", c.Kubeconfig())
}

// RotateServing gives each API server another certificate and key to show, and returns once
// whoever connects sees them. Connections that there are stay.
func (c *ControlPlane) RotateServing(ctx context.Context) error {
	for i, server := range c.Servers {
		certificate, err := c.authority.writeServing(server.dir)
		if err != nil {
			return err
		}
		for !c.shows(ctx, c.serverURLs[i], certificate) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("kube: API server %d does not show its new certificate: %w", i, ctx.Err())
			}
		}
	}
	return nil
}

// shows reports whether the server shows this certificate.
func (c *ControlPlane) shows(ctx context.Context, url string, certificate []byte) bool {
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.certificate)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		return false
	}
	defer conn.Close()
	return bytes.Equal(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw, certificate)
}

// Upgrade puts an API server of the newest version in place of each, one after the other, as an
// upgrade of a cluster does. It first builds that version, if it is not there.
func (c *ControlPlane) Upgrade(ctx context.Context) error {
	newest, err := apiServerSource.build(ctx, c.progress)
	if err != nil {
		return fmt.Errorf("kube: %w", err)
	}
	for _, server := range c.Servers {
		if err := server.Terminate(ctx); err != nil {
			return err
		}
		server.use(newest)
		if err := server.Restart(ctx); err != nil {
			return err
		}
	}
	return nil
}
