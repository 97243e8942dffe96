package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// A child is a replica in a process of its own, as its parent sees it.
type child struct {
	id     string
	cmd    *exec.Cmd
	input  io.Closer                // the replica ends when it is closed
	told   *watch.Var[achievements] // closed when the replica says no more
	stderr strings.Builder          // to be read after the end
}

// achievements are what a replica has told so far.
type achievements struct {
	epoch                     string // of its newest term; "" if it never led
	added, concluded, refused int
}

// startChild starts a replica with this kubeconfig. It is killed when ctx ends.
func startChild(ctx context.Context, id, kubeconfig string) (*child, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{id: id, told: watch.NewVar(achievements{})}
	c.cmd = exec.CommandContext(ctx, executable, replicaCommand, id)
	c.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	c.cmd.Stderr = &c.stderr
	ownGroup(c.cmd)
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer c.told.Close()
		for lines := bufio.NewScanner(output); lines.Scan(); {
			c.take(lines.Text())
		}
	}()
	return c, nil
}

func (c *child) take(line string) {
	now := c.told.Load()
	what, which, _ := strings.Cut(line, " ")
	switch what {
	case "leads":
		now.epoch = which
	case "added":
		now.added++
	case "concluded":
		now.concluded++
	case "refused":
		now.refused++
	}
	c.told.Store(now)
}

// until returns once the replica has achieved what cond asks for.
func (c *child) until(ctx context.Context, cond func(achievements) bool) (achievements, error) {
	told, err := c.told.Wait(ctx, cond)
	if err != nil {
		return told, fmt.Errorf("waiting for replica %s: %w", c.id, err)
	}
	return told, nil
}

func (c *child) pause() error  { return pause(c.cmd.Process) }
func (c *child) resume() error { return resume(c.cmd.Process) }

// stop ends the replica in order, and returns once its process is gone, with why if
// it has failed. It must not be paused.
func (c *child) stop() error {
	_ = c.input.Close()
	// What it tells must have been read before Wait closes the pipe.
	_, _ = c.told.Wait(context.Background(), func(achievements) bool { return false })
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("replica %s: %w: %s", c.id, err, strings.TrimSpace(c.stderr.String()))
	}
	return nil
}

// kill ends the replica whatever it does. It does nothing after stop.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.stop() // by SIGKILL, which is no news
}
