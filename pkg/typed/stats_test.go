package typed_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/mapstoretest"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

func TestACallbackOfAValueThatBlocksShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mapstoretest.NewStore(t, map[string]string{"n": "1"})
		v := typed.Bind(store, "n", typed.Int[int](), 0)
		d := typed.Derive(store, func(now mapstore.Reader) (int, error) { return now.Len(), nil })
		release := make(chan struct{})
		block := func(_, _ int) { <-release }
		v.OnChange(block)
		idle := d.OnChange(func(_, _ int) {})
		time.Sleep(time.Minute) // of the bubble's clock
		if got := store.Stats(); got.Lag != time.Minute || got.Subscriptions != 4 {
			t.Errorf("a lag of %v, and %d subscriptions", got.Lag, got.Subscriptions)
		}
		var names []string
		for _, s := range store.Subscriptions() {
			if name := s.Name(); strings.HasPrefix(name, "value of ") {
				names = append(names, name)
			}
		}
		if slices.Sort(names); !slices.Equal(names, []string{"value of (int)", "value of n"}) {
			t.Errorf("the subscriptions are %q", names)
		}
		close(release)
		synctest.Wait()
		if got := store.Stats(); got.Lag != 0 {
			t.Errorf("a lag of %v when the callback has ended", got.Lag)
		}
		idle.Stop()
		v.Close()
		if got := store.Stats().Subscriptions; got != 1 {
			t.Errorf("%d subscriptions, want that of the Derived", got)
		}
	})
}
