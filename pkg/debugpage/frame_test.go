package debugpage

import (
	"testing"
	"testing/synctest"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// In a bubble no time passes, so all of it is in one interval.
func TestAnIntervalIsRenderedOnceForAllWhoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := mapstore.New(fake.NewClientset(), "ns", "settings", mapstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		h := New(store, Options{})
		if !h.live.enter(1) || h.live.enter(1) {
			t.Fatal("no viewer is let in, or two")
		}
		one, other := view{sort: bySize, page: 1, form: formHTML}, view{sort: byName, page: 1, form: formHTML}
		_, _ = h.frame(one)
		for i, p := range h.live.parts { // so that nothing that is rendered again is the same
			h.live.parts[i] = &part{p.name, []byte("of this interval")}
		}
		a, _ := h.frame(one)
		b, _ := h.frame(one)
		c, _ := h.frame(other)
		for i := range a {
			if a[i] != b[i] || a[i].name != "keys" && string(a[i].html) != "of this interval" {
				t.Errorf("%s was rendered twice for the same view", a[i].name)
			}
			if a[i] != c[i] && a[i].name != "keys" {
				t.Errorf("%s was rendered twice for two views", a[i].name)
			}
		}
		h.live.leave()
		if h.live.parts != nil || h.live.keys != nil || h.live.before != nil {
			t.Error("what was rendered is kept though nobody looks")
		}
	})
}
