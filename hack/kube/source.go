package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// source is what a binary is built from.
type source struct {
	name   string
	dir    string // whose go.mod requires the module
	module string
	pkg    string
	takes  string // on two cores
}

var (
	apiServerSource       = apiServer("apiserver")
	oldestAPIServerSource = apiServer("apiserver-oldest")
	etcdSource            = source{"etcd", besideThisFile("etcd"), "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", "40 seconds"}
)

// apiServer is the kube-apiserver of the version that dir's go.mod says.
func apiServer(dir string) source {
	return source{"kube-apiserver", besideThisFile(dir), "k8s.io/kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "4 minutes"}
}

// ldflags strips the binary, and sets what Kubernetes' release scripts do; without it, an
// API server says v0.0.0-master. Etcd has no such variables, which is no error.
func ldflags(version string) string {
	const variable = " -X k8s.io/component-base/version."
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return "-s -w" + variable + "gitVersion=" + version + variable + "gitMajor=" + major + variable + "gitMinor=" + minor
}

// besideThisFile returns the path of a folder beside this file, as the compiler saw it.
// To ask go list instead would depend on the working directory and on the caller's
// workspace and module flags; this only depends on the package not being built with
// -trimpath.
func besideThisFile(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), name)
}

// version returns the version that go.mod requires.
func (s source) version() (string, error) {
	requirements, err := os.ReadFile(filepath.Join(s.dir, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("building %s needs a checkout of this package, compiled without -trimpath; or set %s: %w", s.name, assetsVariable, err)
	}
	match := regexp.MustCompile(`\s` + regexp.QuoteMeta(s.module) + ` (v\S+)`).FindSubmatch(requirements)
	if match == nil {
		return "", fmt.Errorf("%s/go.mod does not require %s", s.dir, s.module)
	}
	return string(match[1]), nil
}

// build returns the binary's path, after building it if it is not there.
func (s source) build(ctx context.Context, progress io.Writer) (string, error) {
	if progress == nil {
		progress = os.Stderr
	}
	version, err := s.version()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "mapstore", strings.Join([]string{s.name, version, runtime.GOOS, runtime.GOARCH}, "-"))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, s.buildOnce(ctx, path, version, progress)
}

// buildOnce builds the binary unless another process is doing so, for which it waits.
func (s source) buildOnce(ctx context.Context, path, version string, progress io.Writer) error {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for waited := false; ; waited = true {
		locked, err := tryLock(lock)
		if err != nil {
			return fmt.Errorf("locking %s: %w", lock.Name(), err)
		}
		if locked {
			break
		}
		if !waited {
			fmt.Fprintf(progress, "kube: another process is building %s %s: waiting for it\n", s.name, version)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	if _, err := os.Stat(path); err == nil {
		return nil // by the one that had the lock before
	}

	partial := path + ".partial"
	defer os.Remove(partial)
	fmt.Fprintf(progress, "kube: building %s %s, once: about %s on two cores\n", s.name, version, s.takes)
	if err := s.compile(ctx, partial, version, lock, progress); err != nil {
		return err
	}
	fmt.Fprintf(progress, "kube: built %s %s\n", s.name, version)
	return os.Rename(partial, path)
}

// compile runs the go command in the source's own module, for this machine, whatever the
// caller's environment says.
func (s source) compile(ctx context.Context, out, version string, lock *os.File, progress io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-ldflags="+ldflags(version), "-o", out, s.pkg)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(),
		"GOWORK=off",
		"GOFLAGS=-mod=readonly", // an empty one would be overruled by go env -w
		"CGO_ENABLED=0",
		"GOOS="+runtime.GOOS,
		"GOARCH="+runtime.GOARCH,
	)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it removes its temporary files
	cmd.WaitDelay = 10 * time.Second
	// The build keeps the lock: if this process is killed, it goes on for a while.
	cmd.ExtraFiles = []*os.File{lock}
	output := &buildOutput{shown: time.Now(), progress: progress}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s %s: %w\n%s", s.name, version, errors.Join(context.Cause(ctx), err), tail(output.Bytes()))
	}
	return nil
}

// buildOutput collects the output of go build -v, which names each package that it
// compiles, and says now and then how far it is. The command writes from one goroutine.
type buildOutput struct {
	bytes.Buffer
	shown    time.Time
	progress io.Writer
}

func (b *buildOutput) Write(p []byte) (int, error) {
	if time.Since(b.shown) > 15*time.Second {
		b.shown = time.Now()
		fmt.Fprintf(b.progress, "kube: still building, %d packages so far\n", bytes.Count(b.Bytes(), []byte("\n")))
	}
	return b.Buffer.Write(p)
}
