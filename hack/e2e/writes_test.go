package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// increment is the transaction that loses updates wherever they can be lost.
func increment(key string) func(*mapstore.Tx) error {
	return func(tx *mapstore.Tx) error {
		value, _ := tx.Get(key)
		n, _ := strconv.Atoi(value)
		tx.Set(key, strconv.Itoa(n+1))
		return nil
	}
}

func TestTheFirstWriteCreatesTheMap(t *testing.T) {
	s := newSite(t)
	store := s.store()
	if store.Snapshot().Exists() {
		t.Fatal("the map exists before anything was written")
	}
	s.set(store, "greeting", "hello")
	if fields := s.get().ManagedFields; len(fields) != 1 || fields[0].Manager != "mapstore" {
		t.Errorf("the managed fields are %v, want them to be ours", fields)
	}
	if got := s.get().Data["greeting"]; got != "hello" {
		t.Errorf("the API server has %q", got)
	}
	if got, ok := store.Get("greeting"); !ok || got != "hello" {
		t.Errorf("Get = %q, %v", got, ok)
	}
}

func TestDeletesOfNothingDoNotCreateTheMap(t *testing.T) {
	s := newSite(t)
	store := s.store()
	if err := store.Delete(t.Context(), "absent"); err != nil {
		t.Fatal(err)
	}
	if err := store.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.outside.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), mapName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the map exists: %v", err)
	}
}

// Promise 4, with writers of three kinds: stores, guarded Updates by plain
// client-go, and patches that are not guarded at all but touch another key.
func TestNoUpdateIsLost(t *testing.T) {
	s := newSite(t)
	s.create(map[string]string{"n": "0"})
	const stores, writers, rounds, foreign, patches = 3, 6, 10, 20, 20

	var wg sync.WaitGroup
	ctx := within(t, 2*time.Minute)
	for range stores {
		store := s.store()
		for range writers {
			wg.Go(func() {
				for range rounds {
					if _, err := store.Update(ctx, increment("n")); err != nil {
						t.Errorf("Update: %v", err)
					}
				}
			})
		}
	}
	wg.Go(func() {
		for done := 0; done < foreign && ctx.Err() == nil; {
			object := s.get()
			n, _ := strconv.Atoi(object.Data["n"])
			object.Data["n"] = strconv.Itoa(n + 1)
			_, err := s.outside.CoreV1().ConfigMaps(s.namespace).Update(ctx, object, metav1.UpdateOptions{})
			switch {
			case err == nil:
				done++
			case !apierrors.IsConflict(err):
				t.Errorf("the foreign writer: %v", err)
			}
		}
	})
	wg.Go(func() {
		for i := range patches {
			s.patch(fmt.Sprintf(`{"data":{"patched":"%d"}}`, i+1))
		}
	})
	wg.Wait()

	want := map[string]string{"n": strconv.Itoa(stores*writers*rounds + foreign), "patched": strconv.Itoa(patches)}
	if got := s.get().Data; !maps.Equal(got, want) {
		t.Errorf("the map is %v, want %v", got, want)
	}
}

func TestOneTransactionWritesSeveralKeysAtOnce(t *testing.T) {
	s := newSite(t)
	store, other := s.store(), s.store()
	snapshot, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
		tx.Set("a", "1")
		tx.Set("b", "2")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "1", "b": "2"}; !maps.Equal(contents(snapshot), want) {
		t.Errorf("Update returned %v, want %v", contents(snapshot), want)
	}
	seen := s.waitForRevision(other, snapshot.Revision())
	if !maps.Equal(contents(seen), contents(snapshot)) {
		t.Errorf("another store sees %v", contents(seen))
	}
	if _, err := other.Update(t.Context(), func(tx *mapstore.Tx) error {
		a, _ := tx.Get("a")
		tx.Delete("a")
		tx.Set("c", a)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"b": "2", "c": "1"}; !maps.Equal(s.get().Data, want) {
		t.Errorf("the map is %v, want %v", s.get().Data, want)
	}
}

func TestWhatOneCallerDoesTouchesNobodyElseInTheBatch(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "n", "0")
	refusal := errors.New("no")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	const good = 40
	var wg sync.WaitGroup
	for i := range good {
		wg.Go(func() {
			if _, err := store.Update(t.Context(), increment("n")); err != nil {
				t.Errorf("a good transaction: %v", err)
			}
		})
		switch i % 4 {
		case 0:
			wg.Go(func() {
				_, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
					tx.Set("n", "refused")
					return refusal
				})
				if err != refusal { //nolint:errorlint // exactly this one
					t.Errorf("fn's error became %v", err)
				}
			})
		case 1:
			wg.Go(func() {
				defer func() {
					if got := recover(); got != "boom" {
						t.Errorf("recovered %v, want what fn panicked with", got)
					}
				}()
				_, _ = store.Update(t.Context(), func(tx *mapstore.Tx) error {
					tx.Set("n", "panicked")
					panic("boom")
				})
				t.Error("Update returned though fn panicked")
			})
		case 2:
			wg.Go(func() {
				_, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
					tx.Set("n", "oversize")
					tx.Set("big", string(make([]byte, 1<<20+1)))
					return nil
				})
				if !errors.Is(err, mapstore.ErrTooLarge) {
					t.Errorf("an oversize value: %v", err)
				}
			})
		case 3:
			wg.Go(func() {
				if err := store.Set(cancelled, "n", "cancelled"); !errors.Is(err, context.Canceled) || errors.Is(err, mapstore.ErrUnknownOutcome) {
					t.Errorf("a cancelled Set: %v", err)
				}
			})
		}
	}
	wg.Wait()
	if got := s.get().Data["n"]; got != strconv.Itoa(good) {
		t.Errorf("n = %s, want %d", got, good)
	}
}

func TestValuesOfAnyBytesComeBackAndTextStaysReadable(t *testing.T) {
	s := newSite(t)
	store, other := s.store(), s.store()
	text, binary := "grüße\n", "\xff\xfe\x00"
	s.set(store, "text", text)
	s.set(store, "binary", binary)
	s.set(store, "both", binary)
	s.set(store, "both", text) // moves from binaryData to data
	object := s.get()
	if object.Data["text"] != text || string(object.BinaryData["binary"]) != binary || object.Data["both"] != text || len(object.BinaryData) != 1 {
		t.Errorf("stored as data %q and binaryData %q", object.Data, object.BinaryData)
	}
	seen := s.waitForRevision(other, object.ResourceVersion)
	if got, _ := seen.Get("binary"); got != binary {
		t.Errorf("another store reads %q", got)
	}
	if got := store.Status().Bytes; got != len(text)*2+len(binary) {
		t.Errorf("Status().Bytes = %d", got)
	}
}

func TestWhatOthersHavePutOnTheMapStays(t *testing.T) {
	s := newSite(t)
	store := s.store()
	created := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{"team": "a"},
			Annotations: map[string]string{"note": "b"},
			Finalizers:  []string{"example.com/keep"},
		},
		Data:       map[string]string{"theirs": "1"},
		BinaryData: map[string][]byte{"text-in-binary": []byte("plain")},
	}
	created = s.createMap(created)
	s.waitForRevision(store, created.ResourceVersion)
	s.set(store, "ours", "2")
	got := s.get()
	if got.Labels["team"] != "a" || got.Annotations["note"] != "b" || len(got.Finalizers) != 1 {
		t.Errorf("metadata is now %+v", got.ObjectMeta)
	}
	if got.Data["theirs"] != "1" || got.Data["ours"] != "2" || string(got.BinaryData["text-in-binary"]) != "plain" {
		t.Errorf("entries are now %v and %v", got.Data, got.BinaryData)
	}
	managers := map[string]bool{}
	for _, entry := range got.ManagedFields {
		managers[entry.Manager] = true
	}
	if !managers["mapstore"] || !managers["e2e.test"] {
		t.Errorf("field managers are %v, want ours and the creator's", managers)
	}
	s.patch(`{"metadata":{"finalizers":null}}`)
}

func TestATransactionThatChangesNothingIsConfirmedAndChangesNothing(t *testing.T) {
	s := newSite(t)
	store := s.store()
	s.set(store, "k", "v")
	before := s.get()
	snapshot, err := store.Update(t.Context(), func(tx *mapstore.Tx) error {
		tx.Set("k", "v")
		tx.Delete("absent")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := s.get(); after.ResourceVersion != before.ResourceVersion || snapshot.Revision() != before.ResourceVersion {
		t.Errorf("revision %s became %s", before.ResourceVersion, after.ResourceVersion)
	}
	// On a stale copy it must run again: what it saw was no longer true.
	patched := s.patch(`{"data":{"k":"foreign"}}`)
	snapshot, err = store.Update(t.Context(), func(*mapstore.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Revision() != patched.ResourceVersion {
		t.Errorf("confirmed revision %s, want %s", snapshot.Revision(), patched.ResourceVersion)
	}
}

// Promise 1: what the server has refused was never visible.
func TestAWriteThatIsRefusedIsNeverVisible(t *testing.T) {
	s := newSite(t)
	s.create(map[string]string{"k": "v"})
	s.grant("reader", may("get", "list", "watch"))
	store := s.store(s.as("reader"))
	f := newFollower(t)
	store.OnChange(f.take)
	if err := store.Set(t.Context(), "k", "refused"); !apierrors.IsForbidden(err) {
		t.Errorf("Set: %v", err)
	}
	if got, _ := store.Get("k"); got != "v" {
		t.Errorf("k = %q after a Set that was refused", got)
	}
	last := s.patch(`{"data":{"other":"1"}}`)
	f.reaches("the last write is seen", atLeast(last.ResourceVersion))
}
