package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
	"github.com/unrolled/mapstore/v2/pkg/typed"
)

// A subscriber of configuration that people edit with kubectl: it goes on with
// the last good value of what they get wrong, says so, and quotes nothing.
func TestATypedValueFollowsWhatPeopleEdit(t *testing.T) {
	const canary = "canary-4711"
	s := newSite(t)
	s.create(map[string]string{"timeout": "5s\n", "limits.yaml": "cpu: 2\nmemory: 1Gi\n"})
	var log overheard
	store := s.store(func(_ *rest.Config, opts *mapstore.Options) { opts.Logger = log.logger() })
	type limits struct {
		CPU    int    `json:"cpu"`
		Memory string `json:"memory"`
	}
	timeout := typed.Bind(store, "timeout", typed.Duration(), time.Second)
	quota := typed.Bind(store, "limits.yaml", typed.YAML[limits](), limits{})
	if timeout.Load() != 5*time.Second || quota.Load() != (limits{2, "1Gi"}) {
		t.Fatalf("after Bind: %v, %v", timeout.Load(), quota.Load())
	}
	quotas, timeouts := make(chan limits, 100), make(chan time.Duration, 100)
	quota.OnChange(func(_, now limits) { quotas <- now })
	timeout.OnChange(func(_, now time.Duration) { timeouts <- now })
	<-quotas
	<-timeouts

	s.patch(`{"data":{"timeout":"` + canary + `","limits.yaml":"cpu: 3\n"}}`)
	if got := <-quotas; got != (limits{CPU: 3}) {
		t.Errorf("beside a malformed key, the other is %v", got)
	}
	settles(t, "Status names the key", func() bool { return fmt.Sprint(store.Status().Rejected) == "[timeout]" })
	if err := timeout.Err(); timeout.Load() != 5*time.Second || !errors.Is(err, typed.ErrRejected) || store.Check(nil) != nil {
		t.Errorf("%v, %v, %v", timeout.Load(), err, store.Check(nil))
	}
	settles(t, "the log has a line", func() bool { return strings.Contains(log.String(), "is rejected") })
	if said := log.String() + fmt.Sprintf("%v %+v", timeout.Err(), store.Status()); strings.Contains(said, canary) {
		t.Errorf("the value is in: %s", said)
	}
	s.patch(`{"data":{"timeout":"7s"}}`)
	if got := <-timeouts; got != 7*time.Second || timeout.Err() != nil {
		t.Errorf("mended: %v, %v", got, timeout.Err())
	}
	s.remove()
	if got := <-timeouts; got != time.Second {
		t.Errorf("of a deleted map: %v", got)
	}
	if got := <-quotas; got != (limits{}) {
		t.Errorf("of a deleted map: %v", got)
	}
}

// Typed increments from several stores: none is lost, and each store reads what it
// has written.
func TestTypedUpdatesLoseNothing(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	for range 3 {
		counter := typed.Bind(s.store(), "n", typed.Int[int](), 0)
		for range 2 {
			wg.Go(func() {
				for range 10 {
					var mine int
					if err := counter.Update(within(t, time.Minute), func(n int) (int, error) { mine = n + 1; return mine, nil }); err != nil {
						t.Error(err)
					} else if got := counter.Load(); got < mine {
						t.Errorf("Load = %d after Update has written %d", got, mine)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := s.get().Data["n"]; n != "60" {
		t.Errorf("n = %s after 60 increments", n)
	}
}
