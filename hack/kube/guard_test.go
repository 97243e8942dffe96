//go:build unix

package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"
)

const programVariable = "MAPSTORE_KUBE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "" {
		goleak.VerifyTestMain(m)
	}
	if err := program(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// program starts a control plane, whose etcd is paused in the end, leaves a file ready in its
// folder, and waits until it is killed, or the test that started it is.
func program() error {
	plane, err := Start(context.Background(), Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(plane.Etcd.Pause(), os.WriteFile(plane.path("ready"), nil, 0o600)); err == nil {
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
	return plane.Stop()
}

// left is an error if there is anything in dir, or a process at work there.
func left(dir string) error {
	files, err := os.ReadDir(dir)
	if processes := processesIn(dir); err != nil || len(files) > 0 || len(processes) > 0 {
		return fmt.Errorf("left behind: %v and processes %v, %w", files, processes, err)
	}
	return nil
}

// processesIn returns the processes whose folder is dir or below, as it is for all of a control
// plane's. Elsewhere than on Linux nothing tells.
func processesIn(dir string) (pids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, folder := range folders {
		if target, _ := os.Readlink(folder); strings.HasPrefix(target, dir) {
			pid, _ := strconv.Atoi(strings.Split(folder, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func appeared(dir, pattern string) error {
	if found, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(found) == 0 {
		return fmt.Errorf("%s is not there: %w", pattern, err)
	}
	return nil
}

// eventually waits for check to return nil, for as long as a slow machine may need.
func eventually(ctx context.Context, check func() error) error {
	err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 3*time.Minute, true,
		func(context.Context) (bool, error) { return check() == nil, nil })
	if err != nil {
		return errors.Join(err, check())
	}
	return nil
}

func TestStopLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	plane := start(t)
	processes := processesIn(dir)
	if len(processes) < 3 && runtime.GOOS == "linux" {
		t.Errorf("processes %v, want the API server, etcd and the guard", processes)
	}
	for _, pid := range processes {
		// Or Ctrl-C and Ctrl-Z would reach it.
		if group, err := syscall.Getpgid(pid); err != nil || group == syscall.Getpgrp() {
			t.Errorf("process %d is in group %d, %v; want another than the program's", pid, group, err)
		}
	}
	for range 2 {
		if err := errors.Join(plane.Stop(), left(dir)); err != nil {
			t.Error(err)
		}
	}
	if err := plane.APIServer.Restart(t.Context()); err == nil {
		t.Error("a stopped API server starts again")
	}
}

func TestAProgramThatIsKilledLeavesNothing(t *testing.T) {
	for _, moment := range []struct {
		file   string // whose appearance is the moment to kill it
		before []syscall.Signal
	}{
		{file: "*"},
		{file: "*/etcd.pid"},
		{file: "*/etcd/member/wal/0.tmp"},
		{file: "*/kube-apiserver.pid"},
		{file: "*/ready"},
		// Which ends the others and not the guard.
		{file: "*/ready", before: []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}},
	} {
		t.Run(fmt.Sprint(moment.file, moment.before), func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), programVariable+"=1")
			cmd.Stderr = os.Stderr
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer input.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if err := eventually(t.Context(), func() error { return appeared(dir, moment.file) }); err != nil {
				t.Error(err)
			}
			for _, pid := range processesIn(dir) {
				for _, signal := range moment.before {
					_ = syscall.Kill(pid, signal) // the one before may have ended it
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // "signal: killed"
			if err := eventually(t.Context(), func() error { return left(dir) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// A child that starts while the guard is at work must be found by it or not run. The
// guard's step is made here at each place where it can fall.
func TestNoChildEscapesTheGuard(t *testing.T) {
	const move = ` mv "${0%/*}" "${0%/*}.gone";`
	for _, script := range []string{move + launch, strings.Replace(launch, ";", ";"+move, 1)} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("/bin/sh", "-ec", script, dir+"/x.pid", "echo", "escaped").Output()
		if err == nil || len(output) != 0 {
			t.Errorf("the command ran: %q, %v", output, err)
		}
	}
}
