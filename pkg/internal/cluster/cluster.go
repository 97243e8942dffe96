// Package cluster finds out how to reach the cluster: from the environment, as a program in a
// pod or on a desk has it.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Environment variables that FromEnvironment reads.
const (
	envConfigPath = "MAPSTORE_CLUSTER_CONFIG_PATH"
	envNamespace  = "NAMESPACE"
)

// serviceAccountNamespace is the file in which a pod finds its namespace.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

var errNoKubeconfig = errors.New("there is no such file, or no current context in it")

// FromEnvironment returns how to reach the cluster, and the namespace to use, as
// mapstore.NewFromEnvironment documents. The function inCluster is [rest.InClusterConfig], except in tests.
//
// Whatever keeps a pod's own cluster from being used, the kubeconfig is tried next, as
// controller-runtime does: a pod without a service account's token can have one.
func FromEnvironment(inCluster func() (*rest.Config, error)) (*rest.Config, string, error) {
	if path := os.Getenv(envConfigPath); path != "" {
		config, namespace, err := fromKubeconfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path})
		if err != nil {
			return nil, "", fmt.Errorf("%s=%s: %w", envConfigPath, path, err)
		}
		return config, namespace, nil
	}
	config, noCluster := inCluster()
	if noCluster == nil {
		return config, namespaceOr(""), nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false // the error says so, and klog would write to stderr
	where := strings.Join(rules.Precedence, ", ")
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		where = clientcmd.RecommendedConfigPathEnvVar + "=" + where
	} else if home := homeWithoutEnvironment(); home != "" {
		rules.Precedence = append(rules.Precedence, home)
		where = strings.Join(rules.Precedence, ", ")
	}
	config, namespace, err := fromKubeconfig(rules)
	if err != nil {
		return nil, "", fmt.Errorf("%s is not set; no cluster around this process: %w; no usable kubeconfig in %s: %w", envConfigPath, noCluster, where, err)
	}
	return config, namespace, nil
}

// homeWithoutEnvironment returns the kubeconfig in the user's home directory if HOME does
// not say where that is; else "".
func homeWithoutEnvironment() string {
	if _, known := os.LookupEnv("HOME"); known {
		return ""
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return filepath.Join(u.HomeDir, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)
}

func fromKubeconfig(rules *clientcmd.ClientConfigLoadingRules) (*rest.Config, string, error) {
	kubeconfig, err := rules.Load()
	if err != nil {
		return nil, "", err
	}
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) { // client-go's text recommends a variable that has no effect
		err = errNoKubeconfig
	}
	if err != nil {
		return nil, "", err
	}
	namespace := ""
	if current, ok := kubeconfig.Contexts[kubeconfig.CurrentContext]; ok {
		namespace = current.Namespace
	}
	return config, namespaceOr(namespace), nil
}

// namespaceOr returns the environment variable's namespace, else fromContext, else the
// service account's namespace, else "default", as kubectl does.
func namespaceOr(fromContext string) string {
	if namespace := os.Getenv(envNamespace); namespace != "" {
		return namespace
	}
	if fromContext != "" {
		return fromContext
	}
	if data, err := os.ReadFile(serviceAccountNamespace); err == nil && len(strings.TrimSpace(string(data))) > 0 {
		return strings.TrimSpace(string(data))
	}
	return "default"
}
