package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Balancer is HAProxy in front of API servers.
type Balancer struct {
	*Process
	config  string // the path of its configuration
	port    int
	servers []string
}

// BalancerOptions are what is to be otherwise than in kubeadm's documentation
// (docs/ha-considerations.md in kubernetes/kubeadm).
type BalancerOptions struct {
	// IdleTimeout is how long a connection may bring nothing. Default: 35 s.
	IdleTimeout time.Duration

	// MaxConnections is how many connections there may be; others are reset. Default: no limit.
	MaxConnections int

	// CutsDown cuts the connections to a server that its checks say is down. Otherwise they
	// stay, and with them whoever has one.
	CutsDown bool
}

// newBalancer returns one that is yet to be configured and started.
func newBalancer(dir string, servers []string) (*Balancer, error) {
	binary, err := findHAProxy()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	b := &Balancer{Process: newProcess("haproxy", dir), config: filepath.Join(dir, "haproxy.cfg"), port: ports[0], servers: servers}
	b.argv = []string{binary, "-db", "-f", b.config}
	return b, b.write(BalancerOptions{})
}

func (b *Balancer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", b.port) }

// write writes the configuration: that of kubeadm's documentation, but for the options, the
// address, the path of the check, which tells of a server that is about to end, and how often
// it is asked.
func (b *Balancer) write(opts BalancerOptions) error {
	var text strings.Builder
	idle := cmp.Or(opts.IdleTimeout, 35*time.Second)
	fmt.Fprintf(&text, `global
    log stdout format raw local0
    hard-stop-after 3s

defaults
    log                     global
    mode                    tcp
    option                  dontlognull
    option                  redispatch
    retries                 1
    timeout queue           20s
    timeout connect         5s
    timeout client          %[1]ds
    timeout server          %[1]ds
    timeout check           2s

frontend apiserver
    bind 127.0.0.1:%[2]d
`, int(idle.Seconds()), b.port)
	if opts.MaxConnections > 0 {
		fmt.Fprintf(&text, "    tcp-request connection reject if { fe_conn gt %d }\n", opts.MaxConnections)
	}
	text.WriteString(`    default_backend apiserverbackend

backend apiserverbackend
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /readyz
    http-check expect status 200
    balance     roundrobin
`)
	extra := ""
	if opts.CutsDown {
		extra = " on-marked-down shutdown-sessions"
	}
	for i, server := range b.servers {
		u, err := url.Parse(server)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "    server apiserver-%d %s check verify none inter 500ms fall 2 rise 1%s\n", i, u.Host, extra)
	}
	return os.WriteFile(b.config, []byte(text.String()), 0o600)
}

// Configure changes the options, and reloads.
func (b *Balancer) Configure(ctx context.Context, opts BalancerOptions) error {
	if err := b.write(opts); err != nil {
		return err
	}
	return b.Reload(ctx)
}

// Reload starts another HAProxy, which takes over: the one before takes no more connections,
// and ends those that it has after three seconds, and itself with them.
func (b *Balancer) Reload(ctx context.Context) error {
	b.mu.Lock()
	old := b.current
	b.mu.Unlock()
	if old == nil {
		return b.Restart(ctx)
	}
	c, err := b.begin("-sf", fmt.Sprint(old.cmd.Process.Pid))
	if err != nil {
		return err
	}
	// That it is gone is the sign that the new one serves. To ask that one would take one of
	// the connections that there may be.
	select {
	case <-old.exited:
		return nil
	case <-c.exited:
		return fmt.Errorf("HAProxy: %s\n%s", c.state, b.logTail())
	case <-ctx.Done():
		return fmt.Errorf("the HAProxy before does not end: %w\n%s", ctx.Err(), b.logTail())
	}
}

// findHAProxy returns the path of HAProxy, which install-haproxy.sh installs.
func findHAProxy() (string, error) {
	if path, err := exec.LookPath("haproxy"); err == nil {
		return path, nil
	}
	const sbin = "/usr/sbin/haproxy" // which is not in everybody's PATH
	if _, err := os.Stat(sbin); err == nil {
		return sbin, nil
	}
	return "", fmt.Errorf("%w: %s installs Debian's", ErrNoHAProxy, filepath.Join("hack", "kube", "install-haproxy.sh"))
}

// ErrNoHAProxy is returned by [StartReplicated] where there is no HAProxy.
var ErrNoHAProxy = errors.New("kube: there is no HAProxy")

// CanReplicate reports whether StartReplicated finds what it needs. In CI the answer is yes:
// there it must.
func CanReplicate() bool {
	_, err := findHAProxy()
	return err == nil || os.Getenv("CI") != ""
}
