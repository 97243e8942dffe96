//go:build unix

// Command leader runs three replicas, each a process of its own, that share a map. It pauses
// the one that leads, and wakes it up when another leads.
//
//	go run ./examples/leader            on a control plane of its own
//	go run ./examples/leader replica a  one replica, on the cluster of the current kubeconfig
//
// No lease can stop a process that has looked at it and is writing now: one that is paused in
// between writes when another leads. Here each write is a transaction, so that it is right
// whoever makes it, and what must not come from a leader that has been replaced checks a
// fencing token. Leader election only saves work.
//
// replica.go is what to copy. This file pauses and watches the replicas.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/unrolled/mapstore/v2/examples/internal/demo"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

const mapName = "jobs"

func main() {
	if len(os.Args) < 3 || os.Args[1] != "replica" {
		demo.Main(demo.Local, tell)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := replica(ctx, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "replica:", err)
		os.Exit(1)
	}
}

// replica leads once, in rounds of twenty updates, and prints how many were acknowledged. As in
// most programs nothing looks at the lease in the middle of a round.
func replica(ctx context.Context, id string) error {
	store, err := mapstore.Open(ctx, mapName, mapstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	term, err := campaign(ctx, store)
	added := 0
	for err == nil && ctx.Err() == nil {
		if err = add(context.WithoutCancel(ctx), store, term); err != nil {
			break
		}
		if added++; added%20 == 0 {
			err = report(ctx, store, term, id)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	fmt.Println(added)
	if errors.Is(err, errDeposed) || ctx.Err() != nil {
		return nil
	}
	return err
}

func tell(ctx context.Context, d *demo.Demo) error {
	store, err := mapstore.Open(ctx, mapName, mapstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()

	d.Step(ctx, "1. One of three leads and works")
	replicas := map[string]*exec.Cmd{}
	ctx, kill := context.WithCancel(ctx)
	defer func() {
		kill()
		for _, replica := range replicas {
			_ = replica.Wait() // once more, or after an error that is told
		}
	}()
	for _, id := range []string{"a", "b", "c"} {
		if replicas[id], err = start(ctx, id); err != nil {
			return err
		}
	}
	old, err := reported(ctx, store, "")
	if err != nil {
		return err
	}
	d.Say("%s adds one to a counter every 50 ms, and has reported its first round.", old)

	d.Step(ctx, "2. It is paused in the middle of a round, as by a long garbage collection")
	if _, err := store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool {
		return strings.HasSuffix(get(now, "counter"), "5")
	}); err != nil {
		return err
	}
	d.Command("kill -STOP %d", replicas[old].Process.Pid)
	if err := replicas[old].Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	next, err := reported(ctx, store, old)
	if err != nil {
		return err
	}
	d.Say("%s waits in vain for a sign of life, leads, and has reported a round.", next)

	d.Step(ctx, "3. It wakes up, and does not know")
	d.Command("kill -CONT %d", replicas[old].Process.Pid)
	if err := replicas[old].Process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	sum, err := ended(replicas[old]) // nothing ends it but its report being refused
	if err != nil {
		return err
	}
	d.Say("%s finishes its round while %s works, and its report is refused.", old, next)

	d.Step(ctx, "4. The map and the replicas agree")
	delete(replicas, old)
	for _, replica := range replicas {
		err := replica.Process.Signal(os.Interrupt)
		added, endErr := ended(replica)
		if err := errors.Join(err, endErr); err != nil {
			return err
		}
		sum += added
	}
	now, err := store.Sync(ctx)
	if err != nil {
		return err
	}
	if counter := get(now, "counter"); counter != strconv.Itoa(sum) {
		return fmt.Errorf("the counter is %s, and %d updates were acknowledged", counter, sum)
	}
	d.OK("The counter is %d, which is what all replicas had acknowledged.", sum)
	d.OK("%s of it came from %s when it had a successor: not lost, and not doubled.", cmp.Or(get(now, "late"), "0"), old)
	return nil
}

// reported waits for a report by another replica than before, and returns by whom.
func reported(ctx context.Context, store *mapstore.Store, before string) (string, error) {
	now, err := store.WaitUntil(ctx, func(now *mapstore.Snapshot) bool { return get(now, "report") != before })
	if err != nil {
		return "", err
	}
	return get(now, "report"), nil
}

// start starts a replica in a process of its own, which is killed when ctx ends.
func start(ctx context.Context, id string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	replica := exec.CommandContext(ctx, self, "replica", id)
	replica.Stdout, replica.Stderr = new(bytes.Buffer), os.Stderr
	return replica, replica.Start()
}

// ended returns once a replica has ended, with how many of its updates were acknowledged.
func ended(replica *exec.Cmd) (added int, err error) {
	if err := replica.Wait(); err != nil {
		return 0, err
	}
	_, err = fmt.Fscan(replica.Stdout.(*bytes.Buffer), &added)
	return added, err
}
