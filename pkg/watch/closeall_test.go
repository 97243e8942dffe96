package watch_test

import (
	"sync"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/watch"
)

// Two callbacks of different Vars that close both at the same moment do not wait
// for each other, at once or one by one.
func TestCallbacksThatCloseEachOthersVarsDoNotWait(t *testing.T) {
	for name, closeBoth := range map[string]func(a, b *watch.Var[int]){
		"at once":    func(a, b *watch.Var[int]) { watch.CloseAll(a, b) },
		"one by one": func(a, b *watch.Var[int]) { a.Close(); b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := watch.NewVar(0), watch.NewVar(0)
			var both, ended sync.WaitGroup
			both.Add(2)
			ended.Add(2)
			for _, v := range []*watch.Var[int]{a, b} {
				v.Subscribe(func(_, _ int) {
					defer ended.Done()
					both.Done()
					both.Wait()
					closeBoth(a, b)
				})
				v.Store(1)
			}
			ended.Wait()
		})
	}
}
