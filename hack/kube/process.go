package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// readyWithin bounds a start whose ctx does not. It takes about 3 s when the
// machine has nothing else to do.
const readyWithin = 2 * time.Minute

// Process is the API server or etcd: a child process that can be killed, paused,
// and started again on the same ports with the same data. Its methods may be
// called from several goroutines; Kill may cut a Restart short.
type Process struct {
	name  string                      // also of its log and pid file
	dir   string                      // the run's folder
	probe func(context.Context) error // nil: it is ready; set before the first start

	mu      sync.Mutex // protects all below
	argv    []string   // binary and flags
	current *child     // the newest, running or not; nil before the first start
}

// child is one start of a Process.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone
	state  string        // how it ended; written before exited is closed
}

func newProcess(name, dir string) *Process { return &Process{name: name, dir: dir} }

// Kill ends the process by SIGKILL and returns once it is gone. It is no error if
// it is not running.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killLocked()
}

// Terminate asks the process to end by SIGTERM, and returns once it is gone. It then ends as
// an administrator ends it: with all that it does for those who are connected.
func (p *Process) Terminate(ctx context.Context) error {
	p.mu.Lock()
	c := p.current
	p.mu.Unlock()
	if err := p.signal(terminate); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", p.name, ctx.Err())
	}
}

// Pause stops the process by SIGSTOP: its connections stay open, and it answers nothing.
// On Linux, Pause returns once every thread has stopped.
func (p *Process) Pause() error { return p.signal(pause) }

// Resume continues a paused process by SIGCONT.
func (p *Process) Resume() error { return p.signal(resume) }

// Restart kills the process if it runs, starts it again, and returns once it is ready.
// If it does not get ready, because it exits, ctx is done, or two minutes have passed,
// the error says why and ends with the process's log; the process may then still be
// running.
func (p *Process) Restart(ctx context.Context) error {
	c, err := p.replace()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	if err := p.waitReady(ctx, c); err != nil {
		return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.logTail())
	}
	return nil
}

// Exited returns a channel that is closed when the process that runs now is gone, and
// how it ended, for after that.
func (p *Process) Exited() (gone <-chan struct{}, how func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.current
	return c.exited, func() string { return fmt.Sprintf("%s: %s\n%s", p.name, c.state, p.logTail()) }
}

// log is the path of the file with the output of all starts of the process.
func (p *Process) log() string { return filepath.Join(p.dir, p.name+".log") }

// replace kills what runs and starts anew. It does not wait for readiness, so that
// Kill and Stop need not either.
func (p *Process) replace() (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.killLocked(); err != nil {
		return nil, err
	}
	return p.beginLocked()
}

// begin starts the process, with further flags, beside the one that runs, which is up to the
// caller then.
func (p *Process) begin(flags ...string) (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beginLocked(flags...)
}

// use makes another binary run from the next start on.
func (p *Process) use(binary string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.argv = append([]string{binary}, p.argv[1:]...)
}

func (p *Process) beginLocked(flags ...string) (*child, error) {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	pidFile := filepath.Join(p.dir, p.name+pidSuffix)
	cmd := exec.Command("/bin/sh", slices.Concat([]string{"-ec", launch, pidFile}, p.argv, flags)...)
	cmd.Dir = p.dir
	// The caller's ETCD_*, KUBE_* and GO* variables must not change what is tested.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	p.current = c
	go func() {
		defer close(c.exited)
		_ = cmd.Wait() // the state says more
		c.state = cmd.ProcessState.String()
		// The id may now be given to another process, which the guard must not kill.
		if id, err := os.ReadFile(pidFile); err == nil && strings.TrimSpace(string(id)) == fmt.Sprint(cmd.Process.Pid) {
			_ = os.Remove(pidFile)
		}
	}()
	return c, nil
}

// waitReady returns nil once the probe succeeds.
func (p *Process) waitReady(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// Bounded, as the kernel accepts connections for a process that does not answer.
		probeCtx, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := p.probe(probeCtx)
		cancel()
		select {
		case <-c.exited:
			return errors.New(c.state)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-c.exited:
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func (p *Process) killLocked() error {
	if !p.runningLocked() {
		return nil
	}
	if err := p.current.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.name, err)
	}
	<-p.current.exited
	return nil
}

func (p *Process) signal(send func(*os.Process) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runningLocked() {
		return fmt.Errorf("%s: %w", p.name, os.ErrProcessDone)
	}
	return send(p.current.cmd.Process)
}

func (p *Process) runningLocked() bool {
	if p.current == nil {
		return false
	}
	select {
	case <-p.current.exited:
		return false
	default:
		return true
	}
}

// logTail returns the end of the log, indented.
func (p *Process) logTail() string {
	log, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	return tail(log)
}

// tail returns the last lines of output, indented.
func tail(output []byte) string {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	lines = lines[max(0, len(lines)-20):]
	for i, line := range lines {
		lines[i] = line[:min(len(line), 500)]
	}
	return "    " + string(bytes.Join(lines, []byte("\n    ")))
}
