package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// machine says on what is measured, and nothing that names this machine.
func machine(ctx context.Context, plane *kube.ControlPlane) ([]string, error) {
	apiServer, etcd, err := plane.Versions(ctx)
	if err != nil {
		return nil, err
	}
	return []string{
		fmt.Sprintf("%s, %d cores, %s/%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		fmt.Sprintf("%s, GOMAXPROCS %d", runtime.Version(), runtime.GOMAXPROCS(0)),
		fmt.Sprintf("Kubernetes %s, etcd %s, each one process on the same machine", apiServer, etcd),
	}, nil
}

// processor returns the name of the CPU, where Linux tells it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
