package watch

import "testing"

// A callback that waits for a worker when another callback closes all does not run
// any more.
func TestWhatIsQueuedWhenACallbackClosesDoesNotRun(t *testing.T) {
	v, other := NewVar(0), NewVar(0)
	other.workers.starting = true // and late
	other.Subscribe(func(int, int) { t.Error("it runs after the end") })
	other.Store(1)
	closed := make(chan struct{})
	v.Subscribe(func(int, int) {
		CloseAll(v, other)
		close(closed)
	})
	v.Store(1)
	<-closed
	other.workers.work()
}
