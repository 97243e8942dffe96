package watch

import "testing"

// A callback that waits for a goroutine of the crew when another one closes all
// does not run any more.
func TestWhatIsQueuedWhenACallbackClosesDoesNotRun(t *testing.T) {
	v, other := NewVar(0), NewVar(0)
	other.crew.spare = true // its worker is on its way, and late
	other.Subscribe(func(int, int) { t.Error("it runs after the end") })
	other.Store(1)
	closed := make(chan struct{})
	v.Subscribe(func(int, int) {
		CloseAll(v, other)
		close(closed)
	})
	v.Store(1)
	<-closed
	other.crew.work()
}
