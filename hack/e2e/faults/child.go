package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// A child is this program once more, as a client in a process of its own, which
// can be stopped and killed. Each of its writers adds to a counter that is
// nobody else's, and says before and after each transaction what becomes of it.
//
// The child says, a line each: "call W", "acknowledged W", "unknown W" and
// "failed W" of the writer W; "fresh V" when it has seen the outside value V and
// its status has no error. It ends when its standard input does, and so with
// its parent.
type child struct {
	name    string
	command *exec.Cmd
	input   io.Closer
	reading sync.WaitGroup

	mu     sync.Mutex // protects all below
	counts [childWriters]map[string]int
	fresh  map[string]time.Time
}

const (
	childWriters = 2
	childCommand = "child" // the hidden first argument
)

func isChild() bool { return len(os.Args) > 1 && os.Args[1] == childCommand }

// startChild starts a child whose counters begin with name.
func (b *testbed) startChild(name string) (*child, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, fresh: make(map[string]time.Time)}
	for w := range c.counts {
		c.counts[w] = make(map[string]int)
	}
	c.command = exec.Command(executable, childCommand, b.plane.Kubeconfig(), b.namespace, name)
	c.command.Stderr = os.Stderr
	input, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.input = input
	output, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	c.reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			c.take(lines.Text())
		}
	})
	b.onClose(func() { _ = c.kill() }) // if it still runs
	return c, nil
}

func (c *child) take(line string) {
	what, which, _ := strings.Cut(line, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if what == "fresh" {
		c.fresh[which] = time.Now()
	} else if w, err := strconv.Atoi(which); err == nil && w < childWriters {
		c.counts[w][what]++
	}
}

func (c *child) acknowledged() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, count := range c.counts {
		n += count["acknowledged"]
	}
	return int64(n)
}

func (c *child) freshSince(value string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.fresh[value]
	return at, ok
}

func (c *child) expectLoad(ctx context.Context, when string) error {
	mark := c.acknowledged()
	if err := until(ctx, patience, func() bool { return c.acknowledged() >= mark+enough }); err != nil {
		return fmt.Errorf("too little load %s: the client acknowledged %d of %d transactions: %w", when, c.acknowledged()-mark, enough, err)
	}
	return nil
}

func (c *child) signal(s os.Signal) error { return c.command.Process.Signal(s) }

// finish ends the child in peace.
func (c *child) finish() error {
	c.input.Close()
	c.reading.Wait()
	return c.command.Wait()
}

// kill ends the child by SIGKILL.
func (c *child) kill() error {
	if err := c.command.Process.Kill(); err != nil {
		return err
	}
	c.reading.Wait()
	_ = c.command.Wait() // it says that the child was killed
	return nil
}

// check compares what the child has said with its counters: each acknowledged
// transaction is in there once, each other that was called at most once.
func (c *child) check(now *mapstore.Snapshot) (figures string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var acknowledged, unknown, open, counted int
	for w, count := range c.counts {
		text, _ := now.Get(counterOf(c.name, w))
		n, _ := strconv.Atoi(text)
		ended := count["acknowledged"] + count["unknown"] + count["failed"]
		inFlight := count["call"] - ended
		if n < count["acknowledged"] || n > count["acknowledged"]+count["unknown"]+inFlight {
			err = errors.Join(err, fmt.Errorf("counter %s is %d: %v", counterOf(c.name, w), n, count))
		}
		acknowledged, unknown, open, counted = acknowledged+count["acknowledged"], unknown+count["unknown"], open+inFlight, counted+n
	}
	return fmt.Sprintf("client %s: acknowledged %d, unknown %d, in flight %d, counted %d", c.name, acknowledged, unknown, open, counted), err
}

func counterOf(child string, writer int) string { return child + "-" + strconv.Itoa(writer) }
