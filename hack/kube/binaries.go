package kube

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// assetsVariable names the folder of ready-made binaries, as controller-runtime's
// envtest has it.
const assetsVariable = "KUBEBUILDER_ASSETS"

// versionVariable chooses between the API servers that can be built. It is in the
// environment, as it must reach every process that a test starts.
const versionVariable = "MAPSTORE_KUBE"

// Binaries are the paths of the two programs.
type Binaries struct{ APIServer, Etcd string }

// Build returns the binaries. It first builds those that are missing in the user's
// cache folder: about five minutes on two cores, once for all checkouts. Processes that
// build at the same time wait for each other. Build reports to progress, or to os.Stderr
// when progress is nil. The API server is of the newest supported Kubernetes version, or
// of the oldest if MAPSTORE_KUBE is "oldest". If KUBEBUILDER_ASSETS is set, nothing is
// built: it names a folder that must have both.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	return build(ctx, progress, false)
}

func build(ctx context.Context, progress io.Writer, oldest bool) (Binaries, error) {
	server, err := chosenAPIServer()
	if oldest {
		server, err = oldestAPIServerSource, nil
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("kube: %w", err)
	}
	var found [2]string
	for i, s := range []source{server, etcdSource} {
		if assets := os.Getenv(assetsVariable); assets != "" && !oldest {
			found[i], err = asset(assets, s.name)
		} else {
			found[i], err = s.build(ctx, progress)
		}
		if err != nil {
			return Binaries{}, fmt.Errorf("kube: %w", err)
		}
	}
	return Binaries{found[0], found[1]}, nil
}

// chosenAPIServer returns what to build the API server from. Only one of the two
// variables may be set: ready-made binaries may be of another version than the one
// that is to be tested.
func chosenAPIServer() (source, error) {
	switch version := os.Getenv(versionVariable); {
	case version == "":
		return apiServerSource, nil
	case os.Getenv(assetsVariable) != "":
		return source{}, fmt.Errorf("%s is set, and so is %s: unset one", versionVariable, assetsVariable)
	case version == "newest":
		return apiServerSource, nil
	case version == "oldest":
		return oldestAPIServerSource, nil
	default:
		return source{}, fmt.Errorf("%s is %q, want newest or oldest", versionVariable, version)
	}
}

func asset(dir, name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath(path); err != nil {
		return "", fmt.Errorf("%s has no %s; unset it to have one built: %w", assetsVariable, name, err)
	}
	return path, nil
}
