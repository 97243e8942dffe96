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
	"runtime"
	"strings"
	"time"
)

// source is what a binary is built from.
type source struct {
	name    string
	dir     string // whose go.mod requires the module
	module  string
	pkg     string
	takes   string                      // on two cores
	ldflags func(version string) string // besides those that strip
}

var (
	apiServerSource       = apiServer("apiserver")
	oldestAPIServerSource = apiServer("apiserver-oldest")
	etcdSource            = source{
		name:    "etcd",
		dir:     besideThisFile("etcd"),
		module:  "go.etcd.io/etcd/server/v3",
		pkg:     "go.etcd.io/etcd/server/v3",
		takes:   "40 seconds",
		ldflags: func(string) string { return "" },
	}
)

// apiServer is the kube-apiserver of the version that dir's go.mod says.
func apiServer(dir string) source {
	return source{
		name:   "kube-apiserver",
		dir:    besideThisFile(dir),
		module: "k8s.io/kubernetes",
		pkg:    "k8s.io/kubernetes/cmd/kube-apiserver",
		takes:  "4 minutes",
		ldflags: func(version string) string {
			// Kubernetes' release scripts set these; without them it says v0.0.0-master.
			const variable = " -X k8s.io/component-base/version."
			major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
			minor, _, _ := strings.Cut(rest, ".")
			return variable + "gitVersion=" + version + variable + "gitMajor=" + major + variable + "gitMinor=" + minor
		},
	}
}

// besideThisFile returns the path of a folder beside this file, as the compiler saw it.
// To ask go list instead would depend on the working directory and on the caller's
// workspace and module flags; this only depends on the package not being built with
// -trimpath.
func besideThisFile(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), name)
}

// build returns the binary's path, after building it if it is not there.
func (s source) build(ctx context.Context, progress io.Writer) (string, error) {
	if _, err := os.Stat(filepath.Join(s.dir, "go.mod")); err != nil || !filepath.IsAbs(s.dir) {
		return "", fmt.Errorf("building %s needs a checkout of this package, compiled without -trimpath; or set %s", s.name, assetsVariable)
	}
	version, err := s.version(ctx)
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
	start := time.Now()
	fmt.Fprintf(progress, "kube: building %s %s, once: about %s on two cores\n", s.name, version, s.takes)
	if err := s.compile(ctx, partial, version, lock, progress); err != nil {
		return err
	}
	fmt.Fprintf(progress, "kube: built %s %s in %d s\n", s.name, version, seconds(start))
	return os.Rename(partial, path)
}

func (s source) compile(ctx context.Context, out, version string, lock *os.File, progress io.Writer) error {
	cmd := s.goCommand(ctx, "build", "-v", "-trimpath", "-ldflags=-s -w"+s.ldflags(version), "-o", out, s.pkg)
	// The build keeps the lock: if this process is killed, it goes on for a while.
	cmd.ExtraFiles = []*os.File{lock}
	start := time.Now()
	output := &buildOutput{start: start, shown: start, what: s.name + " " + version, progress: progress}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s %s: %w\n%s", s.name, version, errors.Join(context.Cause(ctx), err), tail(output.text.Bytes()))
	}
	return nil
}

func (s source) version(ctx context.Context) (string, error) {
	output, err := s.goCommand(ctx, "list", "-m", "-f={{.Version}}", s.module).Output()
	if err != nil {
		err = errors.Join(context.Cause(ctx), err)
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, tail(exit.Stderr))
		}
		return "", fmt.Errorf("the version of %s: %w", s.module, err)
	}
	return strings.TrimSpace(string(output)), nil
}

// goCommand is a go command in the source's own module, for this machine,
// whatever the caller's environment says.
func (s source) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
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
	return cmd
}

func seconds(since time.Time) int { return int(time.Since(since).Round(time.Second).Seconds()) }

// buildOutput collects the output of go build -v, which names each package that it
// compiles, and says now and then how far it is. The command writes from one goroutine.
type buildOutput struct {
	text         bytes.Buffer
	start, shown time.Time
	what         string
	progress     io.Writer
}

func (b *buildOutput) Write(p []byte) (int, error) {
	n, err := b.text.Write(p)
	if time.Since(b.shown) > 15*time.Second {
		b.shown = time.Now()
		packages := bytes.Count(b.text.Bytes(), []byte("\n")) - bytes.Count(b.text.Bytes(), []byte("go: downloading "))
		fmt.Fprintf(b.progress, "kube: building %s: %d s, %d packages compiled\n", b.what, seconds(b.start), packages)
	}
	return n, err
}
