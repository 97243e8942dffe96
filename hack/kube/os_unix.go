//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package kube

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const supported = true

// detach puts the process into a session of its own: Ctrl-C in a terminal then
// reaches this program only, which ends the others in order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func pause(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// The threads stop one by one, each when it is next scheduled.
	for range 5000 {
		if stopped(p.Pid) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("process %d does not stop", p.Pid)
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// stopped reports whether no thread of the process runs, where /proc tells.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		// The state is the field after the name, which is in parentheses and may hold any
		// byte. A thread that has gone meanwhile does not run.
		stat, err := os.ReadFile(thread)
		state := strings.TrimSpace(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// tryLock locks the file unless another process has. The lock ends with the last
// process that has the open file.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
