package debugpage_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestTheLastChangesAreRememberedAndNoMore(t *testing.T) {
	s := newSite(t, map[string]string{"k": "0"})
	page := s.page(debugpage.Options{Changes: 3})
	for i := range 5 {
		s.set("k", strings.Repeat("x", i+2))
		eventually(t, "the page knows of the write", func() bool {
			newest := decode(t, get(page, "/?format=json")).Changes[0]
			return newest.Modified == 1 && newest.Keys[0].NewBytes == i+2 // or they may be merged into one
		})
	}
	d := decode(t, get(page, "/?format=json"))
	if len(d.Changes) != 3 {
		t.Fatalf("%d changes are remembered, want 3", len(d.Changes))
	}
	for i, change := range d.Changes {
		if change.First || change.Keys[0].OldBytes != 5-i || change.Keys[0].NewBytes != 6-i || change.GrowthBytes != 1 {
			t.Errorf("change %d is %+v", i, change)
		}
	}
}

// On an empty map the first change is one that somebody has made.
func TestOnlyWhatWasThereCountsAsTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := mapstoretest.NewAPI(t)
		api.ConfigMap("default", "full").Put(map[string]string{"k": "v"})
		api.ConfigMap("default", "empty").Put(nil)
		for _, name := range []string{"full", "empty", "absent"} {
			store := api.Start(t, name, mapstore.Options{})
			before := debugpage.New(store, debugpage.Options{})
			if err := store.WaitForSync(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := debugpage.New(store, debugpage.Options{})
			synctest.Wait()
			if err := store.Set(t.Context(), "another", "v"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for when, page := range map[string]*debugpage.Handler{"before": before, "after": after} {
				changes := decode(t, get(page, "/?format=json")).Changes
				slices.Reverse(changes)
				if name == "full" && (len(changes) != 2 || !changes[0].First) || name != "full" && len(changes) != 1 {
					t.Errorf("%s, a page from %s the sync: %+v", name, when, changes)
				}
				if last := changes[len(changes)-1]; last.First || last.Keys[0].Key != "another" {
					t.Errorf("%s, a page from %s the sync: the write is %+v", name, when, last)
				}
			}
		}
	})
}

func TestAChangeOfTenThousandKeysNamesAFew(t *testing.T) {
	s := newSite(t, nil)
	page := s.page(debugpage.Options{})
	if _, err := s.store.Update(t.Context(), func(tx *mapstore.Tx) error {
		for i := range 10_000 {
			tx.Set(fmt.Sprintf("key-%05d", i), "v")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page knows of the write", func() bool { return len(decode(t, get(page, "/?format=json")).Changes) > 0 })
	d := decode(t, get(page, "/?format=json"))
	if got := d.Changes[0]; got.Added != 10_000 || len(got.Keys) != 8 {
		t.Errorf("the change has %d added keys and names %d", got.Added, len(got.Keys))
	}
	s.set("key-00000", "w")
	if err := s.store.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page knows of the end", func() bool { return decode(t, get(page, "/?format=json")).Changes[0].Removed == 10_000 })
	body := get(page, "/").Body.String()
	expectText(t, body, "10,000 removed, −9.8 KiB", "and 9,992 other keys")
	if len(body) > 40<<10 {
		t.Errorf("the page has %d bytes", len(body))
	}
}

func TestDeletionAndRecreationAreSeen(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	page := s.page(debugpage.Options{})
	if err := s.client.CoreV1().ConfigMaps("ns").Delete(t.Context(), "settings", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page knows of the deletion", func() bool { return decode(t, get(page, "/?format=json")).Changes[0].Absent })
	expectText(t, get(page, "/").Body.String(), "the map does not exist", "the map was deleted", "1 removed")
	s.create(map[string]string{"k": "v2"})
	eventually(t, "the page knows of the recreation", func() bool { return decode(t, get(page, "/?format=json")).Changes[0].Reset })
	expectText(t, get(page, "/").Body.String(), "reset: another history", "1 resets")
}

// A page that nobody looks at must not keep a version alive that the store has let
// go of; nor one that somebody has looked at.
func TestOldVersionsAreNotKeptAlive(t *testing.T) {
	s := newSite(t, map[string]string{"k": "v"})
	page := s.page(debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
	server := serve(t, page)
	viewer := server.follow(t, "/?format=live")
	viewer.part("keys")
	old := weak.Make(s.store.Snapshot())
	for i := range 3 {
		s.set("k", fmt.Sprint(i))
	}
	eventually(t, "the version is gone", func() bool {
		get(page, "/")
		runtime.GC()
		return old.Value() == nil
	})
	runtime.KeepAlive(page)
}
