package e2e

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// may is a rule for the one map.
func may(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{mapName}, Verbs: verbs}
}

func (s *site) as(user string) func(*rest.Config, *mapstore.Options) {
	return func(config *rest.Config, _ *mapstore.Options) { *config = *s.plane.User(user) }
}

func (s *site) grant(user string, rules ...rbacv1.PolicyRule) {
	s.Helper()
	if err := s.plane.Grant(s.Context(), s.namespace, user, rules...); err != nil {
		s.Fatal(err)
	}
}

func TestAMissingRightIsNamedAndTheStoreRecoversWhenItArrives(t *testing.T) {
	for _, missing := range []string{"list", "watch"} {
		t.Run(missing, func(t *testing.T) {
			s := newSite(t)
			var rest []string
			for _, verb := range []string{"get", "list", "watch", "update", "patch", "create"} {
				if verb != missing {
					rest = append(rest, verb)
				}
			}
			user := "lacks-" + missing
			s.grant(user, may(rest...))
			store := s.unsynced(s.as(user))
			start := time.Now()
			err := store.WaitForSync(t.Context())
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "cannot "+missing) {
				t.Errorf("WaitForSync: %v, want it to name %s", err, missing)
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("WaitForSync took %v", took)
			}
			if err := store.Verify(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "may not "+missing+" it") {
				t.Errorf("Verify: %v, want it to name %s alone", err, missing)
			}
			if err := store.Check(nil); !apierrors.IsForbidden(err) {
				t.Errorf("Check: %v", err)
			}
			start = time.Now()
			if err := store.Set(t.Context(), "k", "v"); !apierrors.IsForbidden(err) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Set before the sync: %v, want the denial", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("Set took %v to be denied", took)
			}
			s.grant(user, may(append(rest, missing)...))
			settles(t, "rights", func() bool { return store.WaitForSync(t.Context()) == nil })
			s.set(store, "k", "v")
		})
	}
}

func TestAReaderReadsAndItsWritesAreForbiddenAtOnce(t *testing.T) {
	s := newSite(t)
	s.create(map[string]string{"k": "v"})
	s.grant("reader", may("get", "list", "watch"))
	store := s.store(s.as("reader"))
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("Get = %q", got)
	}
	if _, err := store.Sync(t.Context()); err != nil {
		t.Errorf("Sync: %v", err)
	}
	start := time.Now()
	if err := store.Set(t.Context(), "k", "w"); !apierrors.IsForbidden(err) {
		t.Errorf("Set: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the denial took %v", took)
	}
	err := store.Verify(t.Context())
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "update, patch, create") || strings.Contains(err.Error(), "list") {
		t.Errorf("Verify: %v, want it to name what a reader lacks", err)
	}
	if got := s.get().Data["k"]; got != "v" {
		t.Errorf("k = %q", got)
	}
}

// The rights that name one map suffice to create and run it, and reach no other.
func TestTheWritersRightsSufficeAndReachNothingElse(t *testing.T) {
	s := newSite(t)
	s.grant("writer", may("get", "list", "watch", "update", "patch", "create"))
	store := s.store(s.as("writer"))
	if err := store.Verify(t.Context()); err != nil {
		t.Errorf("Verify: %v", err)
	}
	s.set(store, "k", "v")

	client := clientFor(t, s.plane.User("writer"))
	other, err := mapstore.New(client, s.namespace, "another", mapstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go other.Start(t.Context()) //nolint:errcheck // ends with the test
	defer other.Close()
	if err := other.WaitForSync(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("another map: %v", err)
	}
	if _, err := client.CoreV1().ConfigMaps(s.namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing the namespace: %v", err)
	}
	if _, err := client.CoreV1().Secrets(s.namespace).Get(t.Context(), mapName, metav1.GetOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a secret: %v", err)
	}
}

func TestANamespaceThatDoesNotExist(t *testing.T) {
	s := newSite(t)
	s.namespace = "nowhere"
	store := s.store()
	if err := store.Set(t.Context(), "k", "v"); !apierrors.IsNotFound(err) {
		t.Errorf("Set: %v", err)
	}
}

// An API server that has just been started knows of no rights for a second or
// two, and denies everything.
func TestARestartDeniesNobodyWhatIsTheirs(t *testing.T) {
	t.Parallel()
	plane := ownPlane(t)
	s := newSiteOn(t, plane)
	s.grant("writer", may("get", "list", "watch", "update", "patch", "create"))
	store := s.store(s.as("writer"))
	s.set(store, "n", "0")
	var tally tally
	var writers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, err := store.Update(t.Context(), increment("n"))
				tally.count(t, err)
			}
		})
	}
	for range 3 {
		acknowledged := tally.acknowledged.Load()
		settles(t, "writers", func() bool { return tally.acknowledged.Load() > acknowledged+20 })
		if err := plane.APIServer.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	acknowledged := tally.acknowledged.Load()
	settles(t, "writers", func() bool { return tally.acknowledged.Load() > acknowledged+20 })
	stop()
	writers.Wait()
	tally.check(t, s.get().Data["n"])
	if failed := tally.failed.Load(); failed > 0 {
		t.Errorf("%d writes failed", failed)
	}
}

// Whoever waits to learn what became of a write, and may no longer read, does
// not keep all others of the store waiting.
func TestALostAnswerAndThenNoRightsHoldUpNobodyForLong(t *testing.T) {
	s := newSite(t)
	s.grant("writer", may("get", "list", "watch", "update", "patch", "create"))
	net := &network{}
	store := s.store(s.as("writer"), net.through)
	s.set(store, "n", "0")
	defer net.delayWatches()()
	net.onAnswer(loseOnce(func() { s.grant("writer") }))
	start := time.Now()
	lost := make(chan error, 1)
	go func() { lost <- store.Set(t.Context(), "n", "1") }()
	settles(t, "the first request", func() bool { return net.puts.Load() > 1 })
	if err := store.Set(t.Context(), "n", "2"); !apierrors.IsForbidden(err) || errors.Is(err, mapstore.ErrUnknownOutcome) {
		t.Errorf("the second Set: %v, want it forbidden", err)
	}
	if err := <-lost; !errors.Is(err, mapstore.ErrUnknownOutcome) || !errors.Is(err, errLost) || !apierrors.IsForbidden(err) {
		t.Errorf("the first Set: %v, want ErrUnknownOutcome, the lost answer and the denial", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("they took %v", took)
	}
}
