package watch_test

import (
	"sync"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Two callbacks of different Vars that close both at the same moment do not wait
// for each other.
func TestCallbacksThatCloseAllDoNotWaitForEachOther(t *testing.T) {
	a, b := watch.NewVar(0), watch.NewVar(0)
	var both, ended sync.WaitGroup
	both.Add(2)
	ended.Add(2)
	for _, v := range []*watch.Var[int]{a, b} {
		v.Subscribe(func(_, _ int) {
			defer ended.Done()
			both.Done()
			both.Wait()
			watch.CloseAll(a, b)
		})
		v.Store(1)
	}
	ended.Wait()
}

func TestCloseAllWaitsForTheCallbacksOfAll(t *testing.T) {
	a, b := watch.NewVar(0), watch.NewVar(0)
	entered, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	done := false
	b.Subscribe(func(_, _ int) {
		close(entered)
		<-release
		done = true
	})
	b.Store(1)
	<-entered
	go func() {
		defer close(closed)
		watch.CloseAll(a, b)
		if !done { // a data race, too, if it had not waited
			t.Error("CloseAll has returned while a callback was running")
		}
	}()
	close(release)
	<-closed
	a.Store(2)
	if a.Load() != 0 {
		t.Error("a closed Var has changed")
	}
}
