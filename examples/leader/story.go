package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/unrolled/mapstore/v2/hack/kube"
)

// A story is three replicas, and what happens to them.
type story struct {
	out      io.Writer
	pace     time.Duration // what a viewer needs to take in a step
	plane    *kube.ControlPlane
	replicas []*child
}

// run returns nil when all went as it should. It leaves nothing behind.
func run(ctx context.Context, out io.Writer, pace time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // the control plane may have to be built
	defer cancel()
	s := &story{out: out, pace: pace}
	s.say("mapstore and leader election: three replicas, one map, one Lease")
	s.say("  Starting a Kubernetes API server and etcd for this demo alone ...")
	if s.plane, err = kube.Start(ctx, kube.Options{Progress: out}); err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, s.plane.Stop()); err == nil {
			s.say("\nAll went as it should, and nothing is left behind.")
		}
	}()
	kubeconfig, err := grant(ctx, s.plane)
	if err != nil {
		return err
	}
	ctx, cancelReplicas := context.WithTimeout(ctx, time.Minute)
	defer cancelReplicas()
	for _, id := range []string{"a", "b", "c"} {
		replica, err := startChild(ctx, id, kubeconfig)
		if err != nil {
			return err
		}
		defer replica.kill()
		s.replicas = append(s.replicas, replica)
	}
	return s.tell(ctx)
}

func (s *story) tell(ctx context.Context) error {
	s.say("\n1. One leads and works")
	old, err := s.leader(ctx, nil)
	if err != nil {
		return err
	}
	s.say("  %s leads, in term %s: it adds one to a counter every %v.", old.id, old.told.Load().epoch, tick)
	// Not before its second round, so that it has concluded one; in the middle of it.
	if _, err := old.until(ctx, func(a achievements) bool { return a.added >= round+3 }); err != nil {
		return err
	}

	s.say("\n2. The leader is stopped in the middle of a round")
	s.say("    $ kill -STOP %d    # %s, as a long garbage collection would", old.cmd.Process.Pid, old.id)
	if err := old.pause(); err != nil {
		return err
	}
	next, err := s.leader(ctx, old)
	if err != nil {
		return err
	}
	s.say("  Its lease runs out, and %s leads, in term %s.", next.id, next.told.Load().epoch)
	if _, err := next.until(ctx, func(a achievements) bool { return a.added >= 5 }); err != nil {
		return err
	}
	s.rest(ctx)

	s.say("\n3. The old leader wakes up, and does not know")
	before := old.told.Load()
	s.say("    $ kill -CONT %d    # %s goes on with its round while %s works", old.cmd.Process.Pid, old.id, next.id)
	if err := old.resume(); err != nil {
		return err
	}
	if _, err := old.until(ctx, func(a achievements) bool { return a.refused > before.refused }); err != nil {
		return err
	}
	s.say("  Its updates count like any others, as each is a transaction. Its report on the")
	s.say("  round checks the term in its transaction, and was refused.")
	concluded := next.told.Load().concluded
	if _, err := next.until(ctx, func(a achievements) bool { return a.concluded > concluded }); err != nil {
		return err
	}
	s.rest(ctx)
	for _, replica := range s.replicas {
		if err := replica.stop(); err != nil {
			return err
		}
	}
	return s.account(ctx, old, next)
}

// leader returns the replica that leads and is not the one before.
func (s *story) leader(ctx context.Context, before *child) (*child, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type found struct {
		replica *child
		err     error
	}
	first := make(chan found, len(s.replicas))
	for _, replica := range s.replicas {
		if replica != before {
			go func() {
				_, err := replica.until(ctx, func(a achievements) bool { return a.epoch != "" })
				first <- found{replica, err}
			}()
		}
	}
	f := <-first
	return f.replica, f.err
}

// account holds what the replicas have told against what the map says.
func (s *story) account(ctx context.Context, old, next *child) error {
	s.say("\n4. The map and the replicas agree")
	data, err := readMap(ctx, s.plane)
	if err != nil {
		return err
	}
	sum, terms := 0, make([]string, 0, len(s.replicas))
	for _, replica := range s.replicas {
		told := replica.told.Load()
		sum += told.added
		terms = append(terms, strconv.Itoa(told.added))
		if told.epoch == "" && told.added > 0 {
			return fmt.Errorf("replica %s has worked without leading", replica.id)
		}
	}
	late, err := strconv.Atoi(data[stale])
	if err != nil {
		return err
	}
	s.say("  counter  %-4s= %s, what a, b and c had acknowledged", data[counter], strings.Join(terms, " + "))
	s.say("  stale    %-4s of them came from %s when its term was over: none lost, none doubled", data[stale], old.id)
	s.say("  report   %-4s not %s, whose report was refused", data[report], old.id)
	switch {
	case data[counter] != strconv.Itoa(sum):
		return fmt.Errorf("the counter is %s, and %d updates were acknowledged", data[counter], sum)
	case late == 0 || late >= round:
		return fmt.Errorf("%d updates were stale", late)
	case data[report] != next.id:
		return fmt.Errorf("the newest report is of %s, not of %s", data[report], next.id)
	}
	return nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *story) rest(ctx context.Context) {
	select {
	case <-time.After(s.pace):
	case <-ctx.Done():
	}
}
