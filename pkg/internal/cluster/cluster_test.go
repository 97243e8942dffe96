package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Each place where Open looks, there or not, and what comes of it. docs/configuration.md
// has the table for people.
func TestTheClusterIsTheFirstThatTheEnvironmentHas(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kubeconfig := func(name string) string {
		return file(name, fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, namespace: %[1]s-ns}}], clusters: [{name: c, cluster: {server: 'https://%[1]s'}}]}", name))
	}
	named, first, second, home := kubeconfig("named"), kubeconfig("first"), kubeconfig("second"), kubeconfig("home")
	missing, malformed, empty := filepath.Join(dir, "missing"), file("malformed", "{no yaml"), file("empty", "")
	noContext := file("no-context", "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'https://no-context'}}]}")
	list := func(paths ...string) string { return strings.Join(paths, string(filepath.ListSeparator)) }

	// A pod, and pods that lack something of a service account.
	pod := func() (*rest.Config, error) { return &rest.Config{Host: "https://pod"}, nil }
	errNoToken := errors.New("open /var/run/secrets/…/token: no such file or directory")
	tokenless := func() (*rest.Config, error) { return nil, errNoToken }
	unreadable := func() (*rest.Config, error) { return nil, os.ErrPermission }

	for name, row := range map[string]struct {
		named, kubeconfig, home string
		inCluster               func() (*rest.Config, error)
		host, namespace         string
		says                    []string // of the error, if there is no host
	}{
		"all of it":                               {named, first, home, pod, "named", "named-ns", nil},
		"named, and it is missing":                {missing, first, home, pod, "", "", []string{envConfigPath, missing}},
		"named, and it is malformed":              {malformed, first, home, pod, "", "", []string{envConfigPath, malformed}},
		"named, and it is empty":                  {empty, first, home, pod, "", "", []string{envConfigPath, empty}},
		"a pod":                                   {"", "", "", pod, "pod", "default", nil},
		"a pod with KUBECONFIG":                   {"", first, home, pod, "pod", "default", nil},
		"a pod with KUBECONFIG that is malformed": {"", malformed, "", pod, "pod", "default", nil},
		"a pod without a token":                   {"", "", "", tokenless, "", "", []string{envConfigPath, errNoToken.Error(), "home"}},
		"a pod without a token, and KUBECONFIG":   {"", first, home, tokenless, "first", "first-ns", nil},
		"a pod without a token, and a home":       {"", "", home, tokenless, "home", "home-ns", nil},
		"a pod whose token cannot be read":        {"", first, home, unreadable, "first", "first-ns", nil},
		"half a pod: a host and no port":          {"", first, home, rest.InClusterConfig, "first", "first-ns", nil},
		"KUBECONFIG":                              {"", first, home, nil, "first", "first-ns", nil},
		"KUBECONFIG, several":                     {"", list(first, second), home, nil, "first", "first-ns", nil},
		"KUBECONFIG, the first one is missing":    {"", list(missing, second), home, nil, "second", "second-ns", nil},
		"KUBECONFIG, one entry is empty":          {"", list("", second), home, nil, "second", "second-ns", nil},
		"KUBECONFIG, one is malformed":            {"", list(second, malformed), home, nil, "", "", []string{malformed}},
		"KUBECONFIG, all are missing":             {"", list(missing, missing+"2"), home, nil, "", "", []string{missing, missing + "2", "KUBECONFIG="}},
		"KUBECONFIG without a current context":    {"", noContext, home, nil, "", "", []string{noContext, "no current context"}},
		"KUBECONFIG, two that make one":           {"", list(noContext, first), home, nil, "no-context", "first-ns", nil},
		"home":                                    {"", "", home, nil, "home", "home-ns", nil},
		"home, and it is malformed":               {"", "", malformed, nil, "", "", []string{malformed}},
		"nothing":                                 {"", "", missing, nil, "", "", []string{envConfigPath, "KUBERNETES_SERVICE_HOST", missing}},
		"KUBECONFIG, an empty file":               {"", empty, home, nil, "", "", []string{empty}},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range map[string]string{
				envConfigPath: row.named, clientcmd.RecommendedConfigPathEnvVar: row.kubeconfig, envNamespace: "",
				"KUBERNETES_SERVICE_HOST": "", "KUBERNETES_SERVICE_PORT": "", "HOME": dir,
			} {
				t.Setenv(variable, value)
			}
			before := clientcmd.RecommendedHomeFile // client-go has looked for it when the process began
			clientcmd.RecommendedHomeFile = row.home
			defer func() { clientcmd.RecommendedHomeFile = before }()
			if row.inCluster == nil {
				row.inCluster = rest.InClusterConfig
			} else {
				t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
			}
			if row.home == "" {
				clientcmd.RecommendedHomeFile = filepath.Join(dir, "no-home")
			}
			config, namespace, err := FromEnvironment(row.inCluster)
			if row.host != "" {
				if err != nil || config.Host != "https://"+row.host || namespace != row.namespace {
					t.Errorf("%v, %q, %v; want %s and %s", config, namespace, err, row.host, row.namespace)
				}
				return
			}
			if err == nil {
				t.Fatalf("%s, want an error", config.Host)
			}
			for _, part := range row.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v; want it to name %s", err, part)
				}
			}
		})
	}
}

// A service has no HOME, as a rule; its user has one all the same.
func TestWithoutHOMEThePasswordFileSaysWhereTheKubeconfigIs(t *testing.T) {
	t.Setenv("HOME", "")
	if got := homeWithoutEnvironment(); got != "" {
		t.Errorf("HOME is set, and so it counts: %s", got)
	}
	os.Unsetenv("HOME")
	if got := homeWithoutEnvironment(); !strings.HasSuffix(got, filepath.Join(".kube", "config")) || !filepath.IsAbs(got) {
		t.Errorf("%q", got)
	}
}
