package kube

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// writeCredentials writes what the API server at url needs into dir: serving.crt,
// serving.key, service-accounts.key and tokens.csv. It returns the configuration of the
// one user of tokens.csv, who has all rights.
func writeCredentials(dir, url string) (*rest.Config, error) {
	serving, servingKey, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		return nil, err
	}
	tokenKey, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	for name, content := range map[string][]byte{
		"serving.crt":          serving,
		"serving.key":          servingKey,
		"service-accounts.key": tokenKey,
		"tokens.csv":           []byte(token + `,admin,admin,"system:masters"`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return &rest.Config{
		Host:            url,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: serving},
		QPS:             -1,
	}, nil
}

// shareCredentials copies what writeCredentials has written for a peer to dir, for another
// API server of the same cluster.
func shareCredentials(peer *ControlPlane, dir, url string) (*rest.Config, error) {
	for _, name := range []string{"serving.crt", "serving.key", "service-accounts.key", "tokens.csv"} {
		content, err := os.ReadFile(peer.path(name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	config := rest.CopyConfig(peer.admin)
	config.Host = url
	return config, nil
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
