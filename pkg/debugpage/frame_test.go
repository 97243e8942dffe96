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
		one, other := view{sort: bySize, page: 1}, view{sort: byName, page: 1}
		_, _ = h.frame(one)
		for i := range h.live.parts { // so that what is rendered again is not the same
			h.live.parts[i].html = "once"
		}
		for v := range h.live.keys {
			h.live.keys[v] = part{"keys", "once"}
		}
		for _, v := range []view{one, other} {
			parts, _ := h.frame(v)
			for _, p := range parts {
				if again := p.html != "once"; again != (p.name == "keys" && v == other) {
					t.Errorf("%+v: %s is %q", v, p.name, p.html)
				}
			}
		}
		h.live.leave()
		if h.live.parts != nil || h.live.keys != nil {
			t.Error("what was rendered is kept though nobody looks")
		}
	})
}
