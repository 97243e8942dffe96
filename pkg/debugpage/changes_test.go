package debugpage_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/unrolled/mapstore/v2/pkg/debugpage"
	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
)

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
				changes := decode(t, page, "/?format=json").Changes
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
