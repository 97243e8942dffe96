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

// Binaries are the paths of the two programs.
type Binaries struct{ APIServer, Etcd string }

// Build returns the binaries, and builds those that are missing in the user's cache
// folder: about five minutes on two cores, and once for all checkouts. Processes that
// build at the same time wait for each other. Progress, os.Stderr when nil, is told.
// If KUBEBUILDER_ASSETS is set it names the folder that must have both, and nothing
// is built.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	if progress == nil {
		progress = os.Stderr
	}
	find := func(s source) (string, error) { return s.build(ctx, progress) }
	if assets := os.Getenv(assetsVariable); assets != "" {
		find = func(s source) (string, error) { return asset(assets, s.name) }
	}
	apiServer, err := find(apiServerSource)
	if err != nil {
		return Binaries{}, fmt.Errorf("kube: %w", err)
	}
	etcd, err := find(etcdSource)
	if err != nil {
		return Binaries{}, fmt.Errorf("kube: %w", err)
	}
	return Binaries{apiServer, etcd}, nil
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
