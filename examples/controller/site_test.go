package main

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"
)

// A site is a demo in a namespace of its own, whose tests do what they like.
type site struct {
	*testing.T
	*demo
}

// newSite makes the Deployments of the demo, and does not run the manager yet.
// Change changes the cluster before the manager is made.
func newSite(t *testing.T, change ...func(*cluster)) *site {
	t.Helper()
	cluster := &cluster{config: plane.Config(), plane: plane}
	if err := cluster.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(cluster)
	}
	demo, err := newDemo(t.Context(), cluster, &console{out: io.Discard}, options{})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, demo}
}

// runs returns a site whose manager runs until the test ends, on a map with web=3
// and batch=2 to which all have been scaled.
func runs(t *testing.T, change ...func(*cluster)) *site {
	t.Helper()
	s := newSite(t, change...)
	s.must(s.cluster.createMap(t.Context(), map[string]string{"web": "3", "batch": "2"}))
	s.start()
	s.await(0, "web-1", "web-2", "web-3", "batch-1", "batch-2", "bystander")
	s.settled()
	s.has(map[string]int32{"web-1": 3, "web-2": 3, "web-3": 3, "batch-1": 2, "batch-2": 2, "bystander": 1})
	return s
}

func (s *site) start() {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.manager.Start(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Errorf("the manager: %v", err)
		}
	})
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) within(limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	s.Cleanup(cancel)
	return ctx
}

// await waits until each of names has been reconciled since mark.
func (s *site) await(mark int, names ...string) {
	s.Helper()
	if _, err := s.recorder.until(s.within(20*time.Second), mark, names...); err != nil {
		s.Fatalf("of %v since %d only %v were reconciled: %v", names, mark, s.recorder.calls.Load()[mark:], err)
	}
}

func (s *site) settled() {
	s.Helper()
	s.must(s.settle(s.within(60 * time.Second)))
}

// since returns who has been reconciled since mark, sorted, without the bystander
// that settle touches.
func (s *site) since(mark int) []string {
	calls := slices.Clone(s.recorder.calls.Load()[mark:])
	calls = slices.DeleteFunc(calls, func(name string) bool { return name == "bystander" })
	slices.Sort(calls)
	return calls
}

func (s *site) has(want map[string]int32) {
	s.Helper()
	got, err := s.cluster.replicas(s.Context())
	s.must(err)
	for name, replicas := range want {
		if got[name] != replicas {
			s.Errorf("%s has %d replicas, want %d", name, got[name], replicas)
		}
	}
}
