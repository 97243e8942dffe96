//go:build unix

package kube

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAssetsAreUsedAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(assetsVariable, dir)
	t.Setenv(versionVariable, "")
	if _, err := Build(t.Context(), t.Output()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), assetsVariable) {
		t.Errorf("an empty folder: %v, want %v with the variable's name", err, os.ErrNotExist)
	}
	want := Binaries{filepath.Join(dir, "kube-apiserver"), filepath.Join(dir, "etcd")}
	for _, path := range []string{want.APIServer, want.Etcd} {
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Build(t.Context(), t.Output()); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestTheVariableChoosesTheVersionAndNothingElseDoes(t *testing.T) {
	t.Setenv(assetsVariable, "")
	for value, want := range map[string]string{"": "apiserver", "newest": "apiserver", "oldest": "apiserver-oldest"} {
		t.Setenv(versionVariable, value)
		if got, err := chosenAPIServer(); err != nil || filepath.Base(got.dir) != want {
			t.Errorf("%q: the folder is %q, %v; want %s", value, got.dir, err, want)
		}
	}
	t.Setenv(versionVariable, "v1.34")
	if _, err := Build(t.Context(), t.Output()); err == nil || !strings.Contains(err.Error(), versionVariable) {
		t.Errorf("an unknown version: %v, want an error with the variable's name", err)
	}
	// With binaries of its own, the run would not be of the version asked for.
	t.Setenv(versionVariable, "oldest")
	t.Setenv(assetsVariable, t.TempDir())
	if _, err := Build(t.Context(), t.Output()); err == nil || !strings.Contains(err.Error(), versionVariable) {
		t.Errorf("both variables: %v, want an error with the variable's name", err)
	}
}

func TestSimultaneousBuildsBuildOnceWhateverTheEnvironmentSays(t *testing.T) {
	t.Setenv("GOWORK", "/nowhere/go.work")
	t.Setenv("GOFLAGS", "-mod=vendor")
	s := newSource(t, `package main; func main() { print("hello") }`)
	path := filepath.Join(t.TempDir(), "hello")
	var progress [3]bytes.Buffer
	var group sync.WaitGroup
	for i := range progress {
		group.Go(func() {
			if err := s.buildOnce(t.Context(), path, "v1.2.3", &progress[i]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	built := 0
	for i := range progress {
		built += strings.Count(progress[i].String(), "built hello v1.2.3")
	}
	if built != 1 {
		t.Errorf("built %d times, want once", built)
	}
	if output, err := exec.Command(path).CombinedOutput(); err != nil || string(output) != "hello" {
		t.Errorf("the binary prints %q, %v", output, err)
	}
	if _, err := os.Stat(path + ".partial"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the partial file: %v, want %v", err, os.ErrNotExist)
	}
}

func TestFailedBuildSaysWhyAndInstallsNothing(t *testing.T) {
	s := newSource(t, `package main; func main() { undefined() }`)
	path := filepath.Join(t.TempDir(), "hello")
	err := s.buildOnce(t.Context(), path, "v1.2.3", t.Output())
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("the error is %v, want the compiler's", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the binary: %v, want %v", err, os.ErrNotExist)
	}
}

func TestWaitingForAnotherBuildEndsWithItsContext(t *testing.T) {
	s := newSource(t, `package main; func main() {}`)
	path := filepath.Join(t.TempDir(), "hello")
	lock, err := os.Create(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if locked, err := tryLock(lock); err != nil || !locked {
		t.Fatal(locked, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.buildOnce(ctx, path, "v1.2.3", t.Output()); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v, want %v", err, context.Canceled)
	}
}

func newSource(t *testing.T, code string) source {
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module hello\n", "main.go": code} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return source{name: "hello", dir: dir, pkg: ".", takes: "a second"}
}
