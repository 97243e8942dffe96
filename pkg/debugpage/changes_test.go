package debugpage_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

func TestTheLastChangesAreRememberedAndNoMore(t *testing.T) {
	inBubble(t, map[string]string{"k": "0"}, func(s *site) {
		page := s.page(debugpage.Options{Changes: 3})
		for i := range 5 {
			s.set("k", strings.Repeat("x", i+2))
		}
		changes := figures(s.T, page).Changes
		if len(changes) != 3 {
			s.Fatalf("%d changes are remembered, want 3", len(changes))
		}
		for i, change := range changes {
			if change.First || change.Keys[0].OldBytes != 5-i || change.Keys[0].NewBytes != 6-i || change.GrowthBytes != 1 {
				s.Errorf("change %d is %+v", i, change)
			}
		}
	})
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
				changes := figures(t, page).Changes
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
	inBubble(t, nil, func(s *site) {
		page := s.page(debugpage.Options{})
		s.update(func(tx *mapstore.Tx) {
			for i := range 10_000 {
				tx.Set(fmt.Sprintf("key-%05d", i), "v")
			}
		})
		if got := figures(s.T, page).Changes[0]; got.Added != 10_000 || len(got.Keys) != 8 {
			s.Errorf("the change has %d added keys and names %d", got.Added, len(got.Keys))
		}
		s.set("key-00000", "w")
		s.update(func(tx *mapstore.Tx) { tx.Clear() })
		body := load(page, "/")
		expectText(s.T, body, "10,000 removed, −9.8 KiB", "and 9,992 other keys")
		if len(body) > 40<<10 {
			s.Errorf("the page has %d bytes", len(body))
		}
	})
}

func TestDeletionAndRecreationAreSeen(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{})
		s.settings.Delete()
		synctest.Wait()
		expectText(s.T, load(page, "/"), "the map does not exist", "the map was deleted", "1 removed")
		if !figures(s.T, page).Changes[0].Absent {
			s.Error("the JSON form does not tell that the map is absent")
		}
		s.settings.Put(map[string]string{"k": "v2"})
		synctest.Wait()
		expectText(s.T, load(page, "/"), "reset: another history", "1 resets")
		if !figures(s.T, page).Changes[0].Reset {
			s.Error("the JSON form does not tell of the reset")
		}
	})
}

// A page that nobody looks at must not keep a version alive that the store has let
// go of; nor one that somebody has looked at.
func TestOldVersionsAreNotKeptAlive(t *testing.T) {
	inBubble(t, map[string]string{"k": "v"}, func(s *site) {
		page := s.page(debugpage.Options{Values: debugpage.ShowValuesToAllWhoReachThePage})
		viewer := serve(s.T, page).follow("/?format=live")
		viewer.part("keys")
		old := weak.Make(s.store.Snapshot())
		for i := range 3 {
			s.set("k", fmt.Sprint(i))
			viewer.part("keys")
		}
		get(page, "/")
		for range 100 {
			if runtime.GC(); old.Value() == nil {
				return
			}
		}
		s.Error("the version is kept")
		runtime.KeepAlive(page)
	})
}
