package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promises 3, 6 and 9: the API server is killed for a while, under load.
func TestAnOutageOfTheAPIServer(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	store, other := s.store(), s.store()
	s.set(store, "k", "before")
	s.set(store, "n", "0")

	var reads, missing atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if got, ok := other.Get("k"); !ok || got == "" {
				missing.Add(1)
			}
			reads.Add(1)
			time.Sleep(time.Millisecond) // the rate of the reader
		}
	})
	var tally tally
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := store.Update(t.Context(), increment("n"))
				tally.count(t, err)
			}
		})
	}
	settles(t, "writers", func() bool { return tally.acknowledged.Load() > 20 })

	killed := time.Now()
	if err := plane.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	settles(t, "Status().Err of both", func() bool { return store.Status().Err != nil && other.Status().Err != nil })
	t.Logf("Status says so after %v: %v", time.Since(killed).Round(time.Millisecond), other.Status().Err)
	if noticed := time.Since(killed); noticed > 2*time.Second {
		t.Errorf("the outage was noticed after %v", noticed)
	}
	settles(t, "the cause in Status().Err", func() bool { return errors.Is(other.Status().Err, syscall.ECONNREFUSED) })
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := other.Set(short, "k", "never"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("Set through the outage: %v, want it not applied, and why", err)
	}
	before := reads.Load()
	settles(t, "reads", func() bool { return reads.Load() > before+500 })

	if err := plane.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready := time.Now()
	object := s.patch(`{"data":{"k":"after"}}`)
	s.waitForRevision(other, object.ResourceVersion)
	fresh := time.Since(ready)
	t.Logf("fresh %v after the server was ready", fresh.Round(time.Millisecond))
	if fresh > 3*time.Second {
		t.Errorf("fresh only after %v", fresh)
	}
	settles(t, "Status().Err", func() bool { return store.Status().Err == nil && other.Status().Err == nil })
	acknowledged := tally.acknowledged.Load()
	settles(t, "writers", func() bool { return tally.acknowledged.Load() > acknowledged+20 })
	stop()
	wg.Wait()
	if missing.Load() > 0 {
		t.Errorf("%d of %d reads found nothing", missing.Load(), reads.Load())
	}
	if got := s.get().Data["k"]; got != "after" {
		t.Errorf("k = %q", got)
	}
	tally.check(t, s.get().Data["n"])
}

// Promise 6, and 5: both are killed in turn under load, and nothing that was
// acknowledged is lost or doubled.
func TestAcknowledgedWritesSurviveKills(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	store := s.store()
	s.set(store, "n", "0")
	ctx, stop := context.WithCancel(t.Context())
	var tally tally
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := store.Update(t.Context(), increment("n"))
				tally.count(t, err)
			}
		})
	}
	for range 2 {
		for _, victim := range []interface {
			Kill() error
			Restart(context.Context) error
		}{plane.Etcd, plane.APIServer} {
			acknowledged := tally.acknowledged.Load()
			settles(t, "writers", func() bool { return tally.acknowledged.Load() > acknowledged+20 })
			if err := victim.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := victim.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	acknowledged := tally.acknowledged.Load()
	settles(t, "writers", func() bool { return tally.acknowledged.Load() > acknowledged+20 })
	stop()
	wg.Wait()
	tally.check(t, s.get().Data["n"])
}

// Promise 8: etcd is restored from a backup that is older than what the stores
// have seen.
func TestARestoreFromABackupIsAResetAndWritesGoOn(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	stores := []*mapstore.Store{s.store(), s.store()}
	var followers []*follower
	for _, store := range stores {
		f := newFollower(t)
		store.OnChange(f.take)
		followers = append(followers, f)
	}
	s.set(stores[0], "k", "backed up")
	stopPlane(t, plane.APIServer.Kill, plane.Etcd.Kill)
	backup := filepath.Join(t.TempDir(), "backup")
	copyDir(t, plane.EtcdDir(), backup)
	startPlane(t, plane.Etcd.Restart, plane.APIServer.Restart)

	for n := range 50 {
		s.set(stores[0], "k", strconv.Itoa(n))
	}
	s.waitForRevision(stores[1], s.get().ResourceVersion)
	stopPlane(t, plane.APIServer.Kill, plane.Etcd.Kill)
	if err := os.RemoveAll(plane.EtcdDir()); err != nil {
		t.Fatal(err)
	}
	copyDir(t, backup, plane.EtcdDir())
	startPlane(t, plane.Etcd.Restart, plane.APIServer.Restart)
	ready := time.Now()

	for i, f := range followers {
		f.reaches("the backup's value is there", func(now *mapstore.Snapshot) bool {
			k, _ := now.Get("k")
			return k == "backed up"
		})
		if _, resets, _ := f.state(); resets != 1 {
			t.Errorf("store %d: %d Resets", i, resets)
		}
	}
	t.Logf("following the restored server %v after it was ready", time.Since(ready).Round(time.Millisecond))
	s.set(stores[1], "k", "after")
	for _, f := range followers {
		f.reaches("a new value is there", func(now *mapstore.Snapshot) bool {
			k, _ := now.Get("k")
			return k == "after"
		})
	}
}

func stopPlane(t *testing.T, kills ...func() error) {
	t.Helper()
	for _, kill := range kills {
		if err := kill(); err != nil {
			t.Fatal(err)
		}
	}
}

func startPlane(t *testing.T, starts ...func(context.Context) error) {
	t.Helper()
	for _, start := range starts {
		if err := start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if output, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, output)
	}
}

// Promise 9: a server that hangs, with the default options. Who writes notices
// within seconds; the watch alone would be silent for a minute anyway.
func TestAWriterNoticesAServerThatHangsWithinSeconds(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	store := s.store()
	s.set(store, "n", "0")
	if err := plane.APIServer.Pause(); err != nil {
		t.Fatal(err)
	}
	paused := time.Now()
	written := make(chan error, 1)
	go func() {
		_, err := store.Update(t.Context(), increment("n"))
		written <- err
	}()
	settles(t, "Status().Err", func() bool { return store.Status().Err != nil })
	noticed := time.Since(paused)
	t.Logf("Status says so after %v: %v", noticed.Round(time.Millisecond), store.Status().Err)
	if noticed > 4*time.Second {
		t.Errorf("noticed only after %v", noticed)
	}
	if err := plane.APIServer.Resume(); err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	settles(t, "Status().Err", func() bool { return store.Status().Err == nil })
	t.Logf("well again %v after the server went on", time.Since(resumed).Round(time.Millisecond))
	if err := <-written; err != nil {
		t.Errorf("the write: %v", err)
	}
	if n := s.get().Data["n"]; n != "1" {
		t.Errorf("n = %s", n)
	}
}

// Promise 9: a server that neither answers nor hangs up.
func TestAServerThatFallsSilent(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	const staleAfter = 2 * time.Second
	net := &network{}
	store := s.store(net.through, func(_ *rest.Config, opts *mapstore.Options) { opts.StaleAfter = staleAfter })
	s.set(store, "k", "v")

	watches := net.watches.Load()
	settles(t, "a watch without frames", func() bool { return net.watches.Load() > watches })
	if err := store.Status().Err; err != nil {
		t.Errorf("Status().Err = %v of a server that answers", err)
	}

	if err := plane.APIServer.Pause(); err != nil {
		t.Fatal(err)
	}
	silent := time.Now()
	settles(t, "Status().Err", func() bool { return store.Status().Err != nil })
	if err, took := store.Status().Err, time.Since(silent); took > 2*staleAfter {
		t.Errorf("Status().Err = %v after %v", err, took)
	}
	if contact := store.Status().LastContact; contact.After(silent.Add(100 * time.Millisecond)) {
		t.Errorf("LastContact is %v after the server fell silent", contact.Sub(silent))
	}
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("Get = %q", got)
	}
	if err := plane.APIServer.Resume(); err != nil {
		t.Fatal(err)
	}
	settles(t, "Status().Err", func() bool { return store.Status().Err == nil })
	object := s.patch(`{"data":{"k":"after"}}`)
	s.waitForRevision(store, object.ResourceVersion)
}
