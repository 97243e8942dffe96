package kube

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
)

// StartReplicated starts a control plane as in production: three members of etcd, two API
// servers, and HAProxy in front of them, configured as kubeadm's documentation has it, which
// Config leads to. An API server that is asked to end first says so to those who ask whether
// it is ready, and serves for two more seconds. Otherwise it is as [Start].
func StartReplicated(ctx context.Context, opts Options) (*ControlPlane, error) {
	haproxy, err := findHAProxy()
	if err != nil {
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
	c.Servers = []*Process{c.APIServer, peer.APIServer}
	c.Balancer = &Balancer{Process: newProcess("haproxy", c.guard.dir), binary: haproxy, config: c.path("haproxy.cfg")}
	c.stop = func() error { return errors.Join(c.Balancer.Kill(), peer.Stop(), alone()) }
	if err := c.balance(ctx, []string{c.serverURL, peer.serverURL}); err != nil {
		return nil, errors.Join(fmt.Errorf("kube: %w", err), c.Stop())
	}
	return c, nil
}

// balance starts the balancer and makes it what Config leads to.
func (c *ControlPlane) balance(ctx context.Context, servers []string) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Balancer.config, []byte(balancerConfig(ports[0], servers)), 0o600); err != nil {
		return err
	}
	front := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	c.Balancer.argv = []string{c.Balancer.binary, "-db", "-f", c.Balancer.config}
	c.Balancer.probe = func(ctx context.Context) error {
		_, err := get(ctx, c.probes, front+"/readyz")
		return err
	}
	if err := c.Balancer.Restart(ctx); err != nil {
		return err
	}
	c.admin.Host = front
	if c.client, err = kubernetes.NewForConfig(c.admin); err != nil {
		return err
	}
	return WriteKubeconfig(c.admin, "default", c.Kubeconfig())
}

// balancerConfig is that of kubeadm's documentation (docs/ha-considerations.md in
// kubernetes/kubeadm), but for the address, the path of the check, which tells of a server
// that is about to end, and how often it is asked.
func balancerConfig(port int, servers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `global
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
    timeout client          35s
    timeout server          35s
    timeout check           2s

frontend apiserver
    bind 127.0.0.1:%d
    default_backend apiserverbackend

backend apiserverbackend
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /readyz
    http-check expect status 200
    balance     roundrobin
`, port)
	for i, server := range servers {
		u, err := url.Parse(server)
		if err != nil {
			panic(err) // it is one that Start has made
		}
		fmt.Fprintf(&b, "    server apiserver-%d %s check verify none inter 500ms fall 2 rise 1\n", i, u.Host)
	}
	return b.String()
}

// A Balancer is HAProxy.
type Balancer struct {
	*Process
	binary, config string
}

// Reload starts another HAProxy, which takes over: the one before takes no more connections,
// and ends those that it has after three seconds, and itself with them.
func (b *Balancer) Reload(ctx context.Context) error {
	b.mu.Lock()
	old := b.current
	argv := b.argv
	b.mu.Unlock()
	if old == nil {
		return b.Restart(ctx)
	}
	b.argv = append(append([]string(nil), argv...), "-sf", fmt.Sprint(old.cmd.Process.Pid))
	c, err := b.begin()
	b.argv = argv
	if err != nil {
		return err
	}
	if err := b.waitReady(ctx, c); err != nil {
		return fmt.Errorf("%s is not ready: %w\n%s", b.name, err, b.logTail())
	}
	select {
	case <-old.exited:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the HAProxy before does not end\n%s", b.logTail())
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
