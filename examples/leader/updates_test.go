package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

func TestUpdatesOfSeveralWhoAllBelieveToLeadAreCountedOnceEach(t *testing.T) {
	replicas := newReplicas(t, 3)
	mine := make([]int, len(replicas))
	for i, r := range replicas {
		mine[i] = begins(t, r)
	}
	const each = 50
	var working sync.WaitGroup
	for i, r := range replicas {
		working.Go(func() {
			for range each {
				if err := r.add(t.Context(), mine[i]); err != nil {
					t.Errorf("%s: %v", r.id, err)
				}
			}
		})
	}
	working.Wait()
	now := latest(t, replicas[0])
	for key, want := range map[string]int{counter: 3 * each, stale: 2 * each} {
		if got, _ := now.Get(key); got != strconv.Itoa(want) {
			t.Errorf("%s = %s, want %d", key, got, want)
		}
	}
}

func TestEachTermHasATokenOfItsOwn(t *testing.T) {
	replicas := newReplicas(t, 3)
	tokens := make([][]int, len(replicas))
	var beginning sync.WaitGroup
	for i, r := range replicas {
		beginning.Go(func() {
			for range 10 {
				token, err := r.begin(t.Context())
				if err != nil {
					t.Errorf("%s: %v", r.id, err)
				}
				tokens[i] = append(tokens[i], token)
			}
		})
	}
	beginning.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(tokens...)))
	for i, token := range all {
		if token != i+1 {
			t.Fatalf("the tokens are %v", all)
		}
	}
	for i, own := range tokens {
		if !slices.IsSorted(own) {
			t.Errorf("the tokens of %s are %v", replicas[i].id, own)
		}
	}
}

func TestTheReportOfALeaderWithASuccessorIsRefusedAndChangesNothing(t *testing.T) {
	replicas := newReplicas(t, 2)
	old, next := replicas[0], replicas[1]
	first := begins(t, old)
	if err := old.conclude(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := begins(t, next)
	before := latest(t, old)
	if err := old.conclude(t.Context(), first); !errors.Is(err, errDeposed) {
		t.Errorf("the old leader's report: %v", err)
	}
	after := latest(t, old)
	if got, _ := after.Get(report); got != old.id || after.Revision() != before.Revision() {
		t.Errorf("the report is of %s, at revision %s after %s", got, after.Revision(), before.Revision())
	}
	if err := next.conclude(t.Context(), second); err != nil {
		t.Errorf("the new leader's report: %v", err)
	}
	if got, _ := latest(t, old).Get(report); got != next.id {
		t.Errorf("the report is of %s", got)
	}
}

func TestAValueThatIsNoNumberStopsTheUpdateAndIsNotShown(t *testing.T) {
	r := newReplicas(t, 1)[0]
	for _, key := range []string{epoch, counter} {
		if err := r.store.Set(t.Context(), key, "secret"); err != nil {
			t.Fatal(err)
		}
		before := r.store.Snapshot()
		err := r.add(t.Context(), 0)
		if err == nil || strings.Contains(err.Error(), "secret") || r.store.Snapshot() != before {
			t.Errorf("with no number in %s: %v", key, err)
		}
		if err := r.store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// newReplicas returns replicas in one process, which share a map in a namespace of
// their own. Each has its own store and client.
func newReplicas(t *testing.T, n int) []*replica {
	t.Helper()
	namespace, err := plane.Namespace(t.Context(), "leader")
	if err != nil {
		t.Fatal(err)
	}
	replicas := make([]*replica, n)
	for i := range replicas {
		client, err := kubernetes.NewForConfig(plane.Config())
		if err != nil {
			t.Fatal(err)
		}
		store, err := mapstore.New(client, namespace, name, mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- store.Start(context.Background()) }()
		t.Cleanup(func() {
			store.Close()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		if err := store.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		replicas[i] = &replica{id: string(rune('a' + i)), store: store, tell: t.Logf}
	}
	return replicas
}

func begins(t *testing.T, r *replica) int {
	t.Helper()
	mine, err := r.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mine
}

// latest returns the map with all that has been written.
func latest(t *testing.T, r *replica) *mapstore.Snapshot {
	t.Helper()
	now, err := r.store.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now
}
