//go:build unix

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"
)

// remains is what a control plane must not leave behind.
type remains struct {
	Dir  string
	PIDs []int
}

func remainsOf(c *ControlPlane) remains {
	return remains{c.guard.dir, []int{c.APIServer.PID(), c.Etcd.PID(), c.guard.cmd.Process.Pid}}
}

func (r remains) check() error {
	var errs []error
	for _, dir := range []string{r.Dir, r.Dir + ".gone"} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s is there", dir))
		}
	}
	for _, pid := range r.PIDs {
		if alive(pid) {
			errs = append(errs, fmt.Errorf("process %d is alive", pid))
		}
	}
	return errors.Join(errs...)
}

func TestStopLeavesNothing(t *testing.T) {
	plane, err := Start(t.Context(), Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	remains := remainsOf(plane)
	for _, pid := range remains.PIDs {
		if !alive(pid) {
			t.Errorf("process %d is not alive before Stop", pid)
		}
		// Or Ctrl-C and Ctrl-Z would reach it.
		if group, err := syscall.Getpgid(pid); err != nil || group != pid {
			t.Errorf("process %d is in group %d, %v; want one of its own", pid, group, err)
		}
	}
	for range 2 {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
		if err := remains.check(); err != nil {
			t.Error(err)
		}
	}
	if err := plane.APIServer.Restart(t.Context()); err == nil {
		t.Error("a stopped API server starts again")
	}
}

func TestKilledProgramLeavesNothing(t *testing.T) {
	for name, prepare := range map[string]func(remains) error{
		"running": func(remains) error { return nil },
		"paused":  func(r remains) error { return syscall.Kill(r.PIDs[1], syscall.SIGSTOP) },
		"asked to end, which only the program does": func(r remains) error {
			guard := r.PIDs[2]
			return errors.Join(syscall.Kill(guard, syscall.SIGINT), syscall.Kill(guard, syscall.SIGTERM))
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, output := program(t)
			var remains remains
			if err := json.NewDecoder(output).Decode(&remains); err != nil {
				t.Fatal(err)
			}
			if err := prepare(remains); err != nil {
				t.Error(err)
			}
			kill(t, cmd)
			eventually(t, remains.check)
		})
	}
}

func TestProgramKilledWhileStartingLeavesNothing(t *testing.T) {
	// The file whose appearance is the moment to kill it.
	for _, moment := range []string{"*", "*/etcd.pid", "*/etcd/member/wal/0.tmp", "*/kube-apiserver.pid"} {
		t.Run(moment, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			cmd, _ := program(t)
			eventually(t, func() error {
				if found, err := filepath.Glob(filepath.Join(dir, moment)); err != nil || len(found) == 0 {
					return fmt.Errorf("%s is not there: %w", moment, err)
				}
				return nil
			})
			kill(t, cmd)
			eventually(t, func() error {
				left, err := os.ReadDir(dir)
				// All processes work in dir or below; elsewhere than on Linux nothing tells.
				folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
				for _, folder := range folders {
					if target, _ := os.Readlink(folder); strings.HasPrefix(target, dir) {
						err = errors.Join(err, fmt.Errorf("%s is %s", folder, target))
					}
				}
				if len(left) != 0 {
					err = errors.Join(err, fmt.Errorf("%v is there", left))
				}
				return err
			})
		})
	}
}

// program runs this test binary as a program that starts a control plane, prints what
// must not remain of it, and waits: see TestMain.
func program(t *testing.T) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"=1")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = input.Close() })
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, output
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
}

// eventually waits for check to return nil, for as long as a slow machine may need.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 3*time.Minute, true,
		func(context.Context) (bool, error) { return check() == nil, nil })
	if err != nil {
		t.Fatal(check())
	}
}

const programVariable = "MAPSTORE_KUBE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "" {
		goleak.VerifyTestMain(m)
	}
	plane, err := Start(context.Background(), Options{})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(remainsOf(plane))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Until it is killed, or the test that started it is.
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = plane.Stop()
}

// A child that starts while the guard is at work must be found by it or not run. The
// guard's steps are made here one by one, at each place where they can fall.
func TestNoChildEscapesTheGuard(t *testing.T) {
	t.Run("the folder has gone", func(t *testing.T) {
		output, err := exec.Command("/bin/sh", "-ec", launch, t.TempDir()+"/gone/x.pid", "echo", "escaped").Output()
		if err == nil || len(output) != 0 {
			t.Errorf("the command ran: %q, %v", output, err)
		}
	})
	t.Run("it goes after the file is opened", func(t *testing.T) {
		dir := t.TempDir() + "/run"
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		script := strings.Replace(launch, ";", `; mv "${0%/*}" "${0%/*}.gone";`, 1)
		output, err := exec.Command("/bin/sh", "-ec", script, dir+"/x.pid", "echo", "escaped").Output()
		if err == nil || len(output) != 0 {
			t.Errorf("the command ran: %q, %v", output, err)
		}
	})
}

// alive reports whether the process runs. One that is dead but not yet waited for by
// its parent, which may be a container's careless init, does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
