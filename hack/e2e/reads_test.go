package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// Promises 1 and 2: while several stores move an amount between two keys, every
// snapshot anywhere has the whole amount, and none is older than the one before.
func TestEverySnapshotIsOneCommittedVersionAndTimeDoesNotGoBack(t *testing.T) {
	s := newSite(t)
	const total = 1000
	created := s.create(map[string]string{"left": strconv.Itoa(total), "right": "0"})
	stores := []*mapstore.Store{s.store(), s.store(), s.store()}
	for _, store := range stores {
		s.waitForRevision(store, created.ResourceVersion)
	}

	var done atomic.Bool
	var readers, writers sync.WaitGroup
	var snapshots atomic.Int64
	for _, store := range stores {
		readers.Go(func() {
			last := created.ResourceVersion
			for !done.Load() {
				snapshot := store.Snapshot()
				left, _ := snapshot.Get("left")
				right, _ := snapshot.Get("right")
				if sum(left, right) != total {
					t.Errorf("a torn read: %s + %s", left, right)
				}
				if order, err := resourceversion.CompareResourceVersion(snapshot.Revision(), last); err != nil || order < 0 {
					t.Errorf("revision %s after %s (%v)", snapshot.Revision(), last, err)
				}
				last = snapshot.Revision()
				snapshots.Add(1)
				time.Sleep(10 * time.Microsecond) // lets the writers run on a small machine
			}
		})
		for range 4 {
			writers.Go(func() {
				for range 15 {
					if _, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
						left, _ := tx.Get("left")
						right, _ := tx.Get("right")
						l, r := sum(left), sum(right)
						tx.Set("left", strconv.Itoa(l-1))
						tx.Set("right", strconv.Itoa(r+1))
						return nil
					}); err != nil {
						t.Errorf("Update: %v", err)
					}
				}
			})
		}
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if got := s.get().Data["right"]; got != strconv.Itoa(len(stores)*4*15) {
		t.Errorf("right = %s", got)
	}
	t.Logf("%d snapshots", snapshots.Load())
}

func sum(numbers ...string) int {
	total := 0
	for _, number := range numbers {
		n, _ := strconv.Atoi(number)
		total += n
	}
	return total
}

// Promise 3, on the writing store, and through WaitFor on any other.
func TestReadYourWrites(t *testing.T) {
	s := newSite(t)
	stores := []*mapstore.Store{s.store(), s.store(), s.store()}
	var wg sync.WaitGroup
	for i, store := range stores {
		other := stores[(i+1)%len(stores)]
		for w := range 4 {
			wg.Go(func() {
				key := fmt.Sprintf("k%d-%d", i, w)
				for n := range 12 {
					want := strconv.Itoa(n)
					snapshot, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
						tx.Set(key, want)
						return nil
					})
					if err != nil {
						t.Errorf("Update: %v", err)
						return
					}
					if got, _ := store.Get(key); got != want {
						t.Errorf("read %q after writing %q", got, want)
					}
					there, err := other.WaitFor(t.Context(), snapshot.Revision())
					if err != nil {
						t.Errorf("WaitFor: %v", err)
						return
					}
					if got, _ := there.Get(key); got != want {
						t.Errorf("another store read %q after WaitFor, want %q", got, want)
					}
				}
				if err := store.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
				if got, ok := store.Get(key); ok {
					t.Errorf("read %q after deleting it", got)
				}
			})
		}
	}
	wg.Wait()
}

func TestSyncSeesWhatWasCompleteBeforeTheCall(t *testing.T) {
	s := newSite(t)
	store := s.store()
	if snapshot, err := store.Sync(t.Context()); err != nil || snapshot.Exists() {
		t.Fatalf("Sync of an absent map: exists %v, %v", snapshot.Exists(), err)
	}
	s.create(map[string]string{"n": "0"})
	for n := range 30 {
		want := strconv.Itoa(n + 1)
		s.patch(`{"data":{"n":"` + want + `"}}`)
		snapshot, err := store.Sync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := snapshot.Get("n"); got != want {
			t.Fatalf("Sync returned n = %q after %q was written", got, want)
		}
	}
	s.remove()
	if snapshot, err := store.Sync(t.Context()); err != nil || snapshot.Exists() {
		t.Fatalf("Sync of a deleted map: exists %v, %v", snapshot.Exists(), err)
	}
}

func TestWaitUntilSeesAForeignWrite(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"ready": "no"})
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		s.waitUntil(store, "it is not ready", func(now *mapstore.Snapshot) bool { return now.Len() == 1 })
		s.patch(`{"data":{"ready":"yes"}}`)
	})
	snapshot := s.waitUntil(store, "it is ready", func(now *mapstore.Snapshot) bool {
		ready, _ := now.Get("ready")
		return ready == "yes"
	})
	if !snapshot.Exists() || snapshot.UID() == "" {
		t.Errorf("the snapshot has UID %q", snapshot.UID())
	}
	if _, err := store.WaitFor(t.Context(), "not-a-revision"); !errors.Is(err, mapstore.ErrInvalidArgument) {
		t.Errorf("WaitFor with a malformed revision: %v", err)
	}
}

func TestStatusDescribesTheCopy(t *testing.T) {
	s := newSite(t)
	store := s.store()
	before := time.Now().Add(-time.Minute)
	s.set(store, "k", "12345")
	status := store.Status()
	if !status.Synced || !status.Exists || status.Revision != s.get().ResourceVersion || status.Bytes != 5 || status.Err != nil || status.LastContact.Before(before) {
		t.Errorf("Status = %+v", status)
	}
	if err := store.Check(nil); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := store.Verify(t.Context()); err != nil {
		t.Errorf("Verify as an administrator: %v", err)
	}
	if store.NeedLeaderElection() {
		t.Error("the store wants to run on the leader only")
	}
}

// Promise 2: what a watch brings late does not take the copy back.
func TestWhatAWatchBringsLateIsOld(t *testing.T) {
	s := newSite(t)
	net := &network{}
	store := s.store(net.through)
	s.set(store, "n", "0")
	f := newFollower(t)
	store.OnChange(f.take)
	release := net.delayWatches()
	defer release()
	for n := range 10 {
		s.set(store, "n", strconv.Itoa(n+1))
	}
	release()
	last := s.patch(`{"data":{"foreign":"1"}}`)
	f.reaches("the last write is seen", atLeast(last.ResourceVersion))
}

// LastContact is that of the last frame, whoever caused it.
func TestEveryFrameIsContact(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.create(map[string]string{"n": "0"})
	for n := range 3 {
		before := time.Now()
		object := s.patch(`{"data":{"n":"` + strconv.Itoa(n+1) + `"}}`)
		s.waitForRevision(store, object.ResourceVersion)
		if contact := store.Status().LastContact; contact.Before(before) {
			t.Errorf("LastContact is %v before the last frame", before.Sub(contact))
		}
	}
}
