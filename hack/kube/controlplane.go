// Package kube runs a real Kubernetes control plane for tests and for people:
// kube-apiserver and etcd, as child processes on free ports of 127.0.0.1.
//
// # What is real
//
// Storage, watches, the watch cache, admission, API Priority and Fairness, RBAC
// and service account tokens are those of a cluster, at their defaults; etcd
// syncs to disk. Nothing else runs: no controller makes a "default" service
// account, collects garbage, or finishes the deletion of a namespace.
//
// # By hand
//
// The command control-plane runs one until it is interrupted:
//
//	go -C hack/kube run ./cmd/control-plane
//
// # Where the binaries come from
//
// They are built from their Go modules, once, into the user's cache folder; the
// go.mod files in the apiserver and etcd folders say which versions. If MAPSTORE_KUBE
// is "oldest", the API server is that of apiserver-oldest: the oldest Kubernetes
// version that is supported. If KUBEBUILDER_ASSETS is set, the kube-apiserver and etcd
// in that folder are used, and nothing is built.
//
// # What stays behind
//
// Nothing. Stop ends the processes and removes their folder. If the program
// dies first, even by SIGKILL, a small guard process does the same.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/hack/wire"
)

// etcdDir is etcd's data folder, in the run's.
const etcdDir = "etcd"

// Options are the options of Start. The zero value is the recommended one.
type Options struct {
	// Progress gets a line now and then while something is being built. Default:
	// os.Stderr.
	Progress io.Writer

	// APIServerArgs are flags that come after Start's own. Those that take one value win
	// over them; a list, such as --etcd-servers, grows.
	APIServerArgs []string

	// EtcdURL, if set, is the URL of a running etcd, such as another control plane's: the
	// API server joins that cluster, with credentials of its own.
	EtcdURL string

	// Members is how many members etcd has. Default: one.
	Members int

	// Oldest says that the API server is of the oldest supported version, and built here,
	// whatever MAPSTORE_KUBE and KUBEBUILDER_ASSETS are.
	Oldest bool

	// Peer, if set, is a running control plane whose etcd this API server joins, with the
	// same credentials, as the servers of one cluster have them. Of several members it
	// leaves the first to the peer.
	Peer *ControlPlane
}

// ControlPlane is one running API server with its etcd.
type ControlPlane struct {
	APIServer *Process
	Etcd      *Process   // the first member; nil when Options.EtcdURL or Peer was set
	Members   []*Process // of etcd; none when Options.EtcdURL or Peer was set

	Servers []*Process // the API servers: one, but of StartReplicated

	// Of StartReplicated only.
	Balancer *Balancer  // in front of the API servers; Config leads to it
	Peers    *Peers     // between the members of etcd
	EtcdWire *wire.Wire // between the first API server and the first member

	guard      *guard
	progress   io.Writer
	authority  *authority
	etcdURL    string
	serverURLs []string
	admin      *rest.Config // never changed; callers get copies
	client     kubernetes.Interface
	probes     http.RoundTripper
	stop       func() error
}

// Start builds what is missing, starts etcd and the API server, and returns once the
// API server is ready; after that ctx has no effect. If Start fails, it leaves nothing
// behind, and the error ends with the log of the process that did not get ready.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	if !supported {
		return nil, fmt.Errorf("kube: no control plane on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	binaries, err := build(ctx, opts.Progress, opts.Oldest)
	if err != nil {
		return nil, err
	}
	guard, err := startGuard()
	if err != nil {
		return nil, fmt.Errorf("kube: starting the guard: %w", err)
	}
	c := &ControlPlane{
		APIServer: newProcess("kube-apiserver", guard.dir),
		etcdURL:   opts.EtcdURL,
		guard:     guard,
		progress:  opts.Progress,
	}
	c.Servers = []*Process{c.APIServer}
	if opts.Peer != nil {
		c.etcdURL = opts.Peer.etcdURL
		if _, others, ok := strings.Cut(c.etcdURL, ","); ok {
			c.etcdURL = others // the first member is the peer's
		}
	}
	if c.etcdURL == "" {
		for i := range max(opts.Members, 1) {
			c.Members = append(c.Members, newProcess(memberName(i), guard.dir))
		}
		c.Etcd = c.Members[0]
	}
	c.stop = sync.OnceValue(c.shutdown)
	if err := c.start(ctx, binaries, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("kube: %w", err), c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context, binaries Binaries, opts Options) error {
	ports, err := freePorts(1 + portsPerMember*len(c.Members))
	if err != nil {
		return err
	}
	if err := c.configure(ports[0], opts.Peer); err != nil {
		return err
	}

	if c.Etcd != nil {
		if err := c.startEtcd(ctx, binaries.Etcd, ports[1:]); err != nil {
			return err
		}
	}

	etcd := c.etcdURL
	if c.EtcdWire != nil {
		etcd = "http://" + c.EtcdWire.Address()
	}
	c.APIServer.argv = append([]string{
		binaries.APIServer,
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", ports[0]),
		"--cert-dir=" + c.guard.dir,
		"--tls-cert-file=" + c.path("serving.crt"),
		"--tls-private-key-file=" + c.path("serving.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--token-auth-file=" + c.path("tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.path("service-accounts.key"),
		"--service-account-signing-key-file=" + c.path("service-accounts.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC",
		// The reconciler would publish this one's address in an Endpoints object,
		// where a loopback address is invalid.
		"--endpoint-reconciler-type=none",
	}, opts.APIServerArgs...)
	c.APIServer.probe = func(ctx context.Context) error {
		_, err := get(ctx, c.probes, c.serverURLs[0]+"/readyz")
		return err
	}

	return c.APIServer.Restart(ctx)
}

// configure writes the credentials and the kubeconfig of an API server on port.
func (c *ControlPlane) configure(port int, peer *ControlPlane) error {
	var err error
	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	c.serverURLs = []string{url}
	if peer != nil {
		c.authority = peer.authority
	} else if c.authority, err = newAuthority(); err != nil {
		return err
	}
	if c.admin, err = c.writeCredentials(c.guard.dir, url, peer); err != nil {
		return err
	}
	if c.client, err = kubernetes.NewForConfig(c.admin); err != nil {
		return err
	}
	tlsConfig, err := rest.TLSConfigFor(c.admin)
	if err != nil {
		return err
	}
	// A new connection for each probe: an old one says nothing about a new process, and
	// would keep goroutines that tests count.
	c.probes = &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true}
	return WriteKubeconfig(c.admin, metav1.NamespaceDefault, c.Kubeconfig())
}

// Stop ends the processes and removes all their files. It may be called more than
// once, and always returns what the first call returned.
func (c *ControlPlane) Stop() error { return c.stop() }

func (c *ControlPlane) shutdown() error {
	// By SIGKILL, as a graceful end takes seconds and the data goes away anyway; the
	// API server first, so that it does not fill its log with complaints about etcd.
	err := c.APIServer.Kill()
	for _, member := range c.Members {
		err = errors.Join(err, member.Kill())
	}
	if c.EtcdWire != nil {
		c.EtcdWire.Close()
	}
	if c.Peers != nil {
		err = errors.Join(err, c.Peers.close())
	}
	return errors.Join(err, c.guard.release())
}

// Config returns a client configuration with all rights and without a rate limit. The
// caller may change it.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// ServerURL returns the URL of an API server, by way of no balancer.
func (c *ControlPlane) ServerURL(i int) string { return c.serverURLs[i] }

// Kubeconfig returns the path of a kubeconfig file for the same user as Config.
func (c *ControlPlane) Kubeconfig() string { return c.path("kubeconfig") }

// Namespace creates a namespace whose name is prefix, a hyphen and a random suffix.
func (c *ControlPlane) Namespace(ctx context.Context, prefix string) (string, error) {
	namespace, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return namespace.Name, nil
}

// Versions asks the running processes for their versions, such as "v1.37.2" and
// "v3.7.3".
func (c *ControlPlane) Versions(ctx context.Context) (apiServer, etcd string, err error) {
	var version struct{ GitVersion, Etcdserver string }
	first, _, _ := strings.Cut(c.etcdURL, ",")
	for _, url := range []string{c.serverURLs[0], first} {
		body, err := get(ctx, c.probes, url+"/version")
		if err == nil {
			err = json.Unmarshal(body, &version)
		}
		if err != nil {
			return "", "", fmt.Errorf("kube: the version: %w", err)
		}
	}
	return version.GitVersion, "v" + version.Etcdserver, nil
}

// EtcdURL returns the URL at which etcd serves its clients, or those of its members with
// commas between them, without TLS and credentials. It speaks gRPC and, under /v3/, its JSON form.
func (c *ControlPlane) EtcdURL() string { return c.etcdURL }

// EtcdDir returns etcd's data folder. While etcd is killed, the caller may copy the
// folder, or replace it by such a copy: Etcd.Restart then starts from what is there.
func (c *ControlPlane) EtcdDir() string { return c.path(etcdDir) }

func (c *ControlPlane) path(name string) string { return filepath.Join(c.guard.dir, name) }
