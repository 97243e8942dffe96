package scale

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/bench/rig"
)

// A wire makes connections to the API server and counts the bytes on them, those of TLS
// and HTTP/2 included; TCP's and IP's are not.
type wire struct {
	host        string
	tls         *tls.Config
	down, up    atomic.Int64 // bytes
	connections atomic.Int64 // so far
}

func newWire(r *rig.Rig) (*wire, error) {
	config := r.Plane.Config()
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	return &wire{host: config.Host, tls: tlsConfig}, nil
}

// transport returns a transport with connections of its own, and otherwise client-go's.
func (w *wire) transport() *http.Transport {
	return utilnet.SetTransportDefaults(&http.Transport{
		TLSClientConfig:     w.tls.Clone(),
		TLSHandshakeTimeout: patience, // many handshake at once, on few cores
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			w.connections.Add(1)
			return &countedConn{conn, w}, nil
		},
	})
}

// A countedConn counts the bytes that go through it.
type countedConn struct {
	net.Conn
	wire *wire
}

// Read reads and counts.
func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.down.Add(int64(n))
	return n, err
}

// Write writes and counts.
func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wire.up.Add(int64(n))
	return n, err
}
