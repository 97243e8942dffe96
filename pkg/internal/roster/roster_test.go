package roster

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

type version struct{ exists bool }

func (v *version) Exists() bool { return v.exists }

// Whatever happens to things, a roster says of them what a plain list of all that has happened
// says.
func TestARosterIsWhatHasHappened(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := New[*version]()
		now := make(map[string]*version)
		changed := make(map[string]uint64)
		struck := uint64(0) // when something was struck off last
		for step := range 500 {
			sequence := r.Sequence()
			if random.IntN(20) > 0 {
				name := fmt.Sprint(random.IntN(20))
				now[name] = &version{random.IntN(2) > 0}
				changed[name] = r.Note(name, now[name])
				if changed[name] != sequence+1 {
					t.Fatalf("seed %d, step %d: change %d after %d", seed, step, changed[name], sequence)
				}
			} else {
				keeps := fmt.Sprint(random.IntN(20))
				for _, name := range r.Strike(func(name string) bool { return name != keeps }) {
					if now[name] == nil || now[name].exists || name == keeps {
						t.Fatalf("seed %d, step %d: %s was struck off", seed, step, name)
					}
					delete(now, name)
					delete(changed, name)
					struck = sequence + 1
				}
				for name, v := range now {
					if !v.exists && name != keeps {
						t.Fatalf("seed %d, step %d: %s is still there", seed, step, name)
					}
				}
			}
			var exist []string
			for name, v := range now {
				if v.exists {
					exist = append(exist, name)
				}
				if r.Get(name) != v {
					t.Fatalf("seed %d, step %d: another version of %s", seed, step, name)
				}
			}
			slices.Sort(exist)
			if n, absent := r.Count(); n != len(exist) || absent != len(now)-n || !slices.Equal(r.Names(), exist) {
				t.Fatalf("seed %d, step %d: %d exist and %d do not: %v", seed, step, n, absent, r.Names())
			}
			seen := random.Uint64N(r.Sequence() + 1)
			names, isStruck, _ := r.Since(seen)
			var want []string
			for name := range changed {
				if changed[name] > seen {
					want = append(want, name)
				}
			}
			slices.SortFunc(want, func(a, b string) int { return cmp.Compare(changed[a], changed[b]) })
			if !slices.Equal(names, want) || isStruck != (struck > seen) {
				t.Fatalf("seed %d, step %d: since %d %v, want %v; struck off: %v", seed, step, seen, names, want, isStruck)
			}
		}
		if r.Get("nobody") != nil {
			t.Error("a version of nothing")
		}
	}
}
