package mapstoretest

import (
	"slices"
	"strings"
	"sync"
)

// A Failure is a fault in effect.
type Failure struct {
	fault Fault
	verbs []string // nil: all
	link  *link
	ended chan struct{}
	once  sync.Once

	// Protected by the link's mutex.
	left int // how many requests it has yet to meet; negative: all until it ends
	met  int
}

// Verbs returns the verbs that [API.Fail] accepts, which are RBAC's: "get", "list",
// "watch", "create", "update", "patch" and "delete". A store commits by update, and
// creates its map by patch, as kubectl apply --server-side does.
func Verbs() []string {
	return []string{"get", "list", "watch", "create", "update", "patch", "delete"}
}

// Fail lets all requests of these verbs, or of all verbs if none is given, meet the
// fault until the failure ends or the test does. Open watches meet it too: a fault
// of the connection breaks them, Hang silences them, Expired ends them. A request
// meets the latest of several failures. The test fails if a verb is unknown.
func (a *API) Fail(fault Fault, verbs ...string) *Failure {
	a.t.Helper()
	return a.fail(-1, fault, verbs)
}

// FailNext lets the next n requests of these verbs meet the fault. Open watches do
// not meet it.
func (a *API) FailNext(n int, fault Fault, verbs ...string) *Failure {
	a.t.Helper()
	if n < 1 {
		a.t.Fatalf("mapstoretest: FailNext(%d, %v) would meet no request", n, fault)
	}
	return a.fail(n, fault, verbs)
}

func (a *API) fail(n int, fault Fault, verbs []string) *Failure {
	a.t.Helper()
	for _, verb := range verbs {
		if !slices.Contains(Verbs(), verb) || fault.verbs != nil && !slices.Contains(fault.verbs, verb) {
			a.t.Fatalf("mapstoretest: no request of verb %q can meet %v", verb, fault)
		}
	}
	f := &Failure{fault: fault, verbs: verbs, link: a.link, ended: make(chan struct{}), left: n}
	a.link.add(f)
	return f
}

// End ends the failure. Requests that hang go on. End may be called more than once.
func (f *Failure) End() {
	f.once.Do(func() {
		f.link.remove(f)
		close(f.ended)
	})
}

// Met returns how many requests have met the fault, not counting open watches. A
// test can check by it that its fault has happened. In a bubble, call synctest.Wait
// first: when it returns, every request that was sent has met its fault.
func (f *Failure) Met() int {
	f.link.mu.Lock()
	defer f.link.mu.Unlock()
	return f.met
}

// matches reports whether a request of the verb meets the fault. The verb is "" for
// a request about something else than ConfigMaps.
func (f *Failure) matches(verb string) bool {
	return (f.fault.verbs == nil || slices.Contains(f.fault.verbs, verb)) && (len(f.verbs) == 0 || slices.Contains(f.verbs, verb))
}

// denied returns the verbs that the failure denies.
func (f *Failure) denied() []string {
	switch {
	case !f.fault.denies:
		return nil
	case len(f.verbs) == 0:
		return []string{"*"}
	default:
		return f.verbs
	}
}

// String returns the fault's name and the verbs that meet it.
func (f *Failure) String() string {
	if len(f.verbs) == 0 {
		return f.fault.name
	}
	return f.fault.name + " for " + strings.Join(f.verbs, ", ")
}
