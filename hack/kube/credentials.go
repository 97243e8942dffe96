package kube

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// An authority issues the certificates of a cluster.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority() (*authority, error) {
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "mapstore-kube"}, key)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, nil
}

func newKey() (key crypto.Signer, text []byte, err error) {
	if text, err = keyutil.MakeEllipticPrivateKeyPEM(); err != nil {
		return nil, nil, err
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, nil, err
	}
	return parsed.(crypto.Signer), text, nil
}

// pem returns the authority's own certificate.
func (a *authority) pem() []byte { return certificatePEM(a.certificate.Raw) }

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})
}

// issue issues a certificate, good for a day: for a server at 127.0.0.1, or for a client that
// is this user of these groups. It returns the certificate as DER, and the key as PEM.
func (a *authority) issue(usage x509.ExtKeyUsage, user string, groups ...string) (certificate, key []byte, err error) {
	signer, key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: user, Organization: groups},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
	if usage == x509.ExtKeyUsageServerAuth {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	certificate, err = x509.CreateCertificate(rand.Reader, template, a.certificate, signer.Public(), a.key)
	return certificate, key, err
}

// writeServing writes what an API server shows, and returns its certificate as DER.
func (a *authority) writeServing(dir string) (certificate []byte, err error) {
	certificate, key, err := a.issue(x509.ExtKeyUsageServerAuth, "kube-apiserver")
	if err != nil {
		return nil, err
	}
	return certificate, writeFiles(dir, map[string][]byte{"serving.crt": certificatePEM(certificate), "serving.key": key})
}

// ClientCertificate writes a new certificate and key to these files, by which a client is this
// user of these groups for a day.
func (c *ControlPlane) ClientCertificate(certFile, keyFile, user string, groups ...string) error {
	certificate, key, err := c.authority.issue(x509.ExtKeyUsageClientAuth, user, groups...)
	if err != nil {
		return err
	}
	return writeFiles("", map[string][]byte{certFile: certificatePEM(certificate), keyFile: key})
}

// writeCredentials writes what the API server at url needs into dir. What all servers of a
// cluster share is that of the peer, if there is one. It returns the configuration of the one
// user of tokens.csv, who has all rights.
func (c *ControlPlane) writeCredentials(dir, url string, peer *ControlPlane) (*rest.Config, error) {
	if _, err := c.authority.writeServing(dir); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	if peer != nil {
		for _, name := range []string{"ca.crt", "service-accounts.key", "tokens.csv"} {
			content, err := os.ReadFile(peer.path(name))
			if err != nil {
				return nil, err
			}
			files[name] = content
		}
		config := rest.CopyConfig(peer.admin)
		config.Host = url
		return config, writeFiles(dir, files)
	}
	_, tokenKey, err := newKey()
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	files["ca.crt"] = c.authority.pem()
	files["service-accounts.key"] = tokenKey
	files["tokens.csv"] = []byte(token + `,admin,admin,"system:masters"`)
	return &rest.Config{
		Host:            url,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.authority.pem()},
		QPS:             -1,
	}, writeFiles(dir, files)
}

// writeFiles writes files that only their owner can read, each at once.
func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

// WriteKubeconfig writes a kubeconfig file that only its owner can read. It has config's
// server, token and user, and one context, with this namespace.
func WriteKubeconfig(config *rest.Config, namespace, path string) error {
	const name = "mapstore-kube"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   config.Host,
			CertificateAuthorityData: config.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			Token:             config.BearerToken,
			Impersonate:       config.Impersonate.UserName,
			ImpersonateGroups: config.Impersonate.Groups,
		}},
		Contexts: map[string]*clientcmdapi.Context{name: {
			Cluster:   name,
			AuthInfo:  name,
			Namespace: namespace,
		}},
		CurrentContext: name,
	}, path)
}
