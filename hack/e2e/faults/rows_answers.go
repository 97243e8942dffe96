package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unrolled/mapstore/v2/hack/e2e/rig"
)

// answerRows are about answers that say nothing, or not what they seem to say,
// about what became of a write.
func answerRows() []row {
	lost := func(*testbed, *http.Request) (*http.Response, error) { return nil, rig.ErrLost }
	failing := func(b *testbed, request *http.Request) (*http.Response, error) {
		statuses := []int{429, 500, 503, 504}
		return rig.Answer(request, statuses[b.newRand().IntN(len(statuses))], b.newRand().IntN(2) == 0), nil
	}
	forgotten := tampered("answers lost, and the ledger is garbage then, or an old one", lost, putInPlaceOfTheLedger)
	forgotten.told = false // the traces are gone
	return []row{
		tampered("requests lost, and answers after the commit", lost, nil),
		tampered("429, 500, 503, 504 before the commit and after it, some with Retry-After", failing, nil),
		forgotten,
		{
			name: "three of ten writes lost, and then health", flows: true, told: true, hold: [2]time.Duration{4 * time.Second, time.Second},
			fault: lasting(each(func(m *member) { m.network.OnAnswer(rig.Some(0.3, rig.Lose)) }), goOn),
		},
		{
			name: "a proxy answers everything with a page of its own", spared: true, hold: [2]time.Duration{4 * time.Second, time.Second},
			cuts: true, notice: killNoticedWithin, during: keepTheMap,
			fault: lasting(each(func(m *member) {
				m.network.OnRequest(func(r *http.Request) (*http.Response, error) { return rig.Page(r, `{"status":"maintenance"}`), nil })
				m.network.EndWatches()
			}), each(func(m *member) { m.network.OnRequest(nil) })),
		},
	}
}

// goOn lets answers through again, and takes the time until all writers who were under
// way have gone on.
func goOn(ctx context.Context, b *testbed) error {
	_ = each(func(m *member) { m.network.OnAnswer(nil) })(ctx, b)
	healthy := time.Now()
	limit := b.settings.bound(2 * time.Second)
	err := rig.Until(ctx, limit, func() bool { return b.load.isPast(healthy) })
	b.note("the last writer went on after " + rounded(time.Since(healthy)))
	if err != nil {
		return fmt.Errorf("a writer still waits %v after all is well", limit)
	}
	return nil
}

// keepTheMap expects each affected store to serve what it had.
func keepTheMap(_ context.Context, b *testbed) error {
	for _, m := range b.affected() {
		if now := m.store.Snapshot(); !now.Exists() || now.Len() == 0 {
			return fmt.Errorf("store %s has %v, as if the page were the map", m.name, now)
		}
	}
	return nil
}

// tampered lets the affected stores' writes end in another answer than the server's:
// some before they have reached it, and some after, unless something is to happen
// right behind each such commit.
func tampered(name string, instead func(*testbed, *http.Request) (*http.Response, error), behind func(context.Context, *testbed) error) row {
	var hits, failures atomic.Int64
	hit := func(b *testbed, request *http.Request) bool {
		isHit := (request.Method == http.MethodPut || request.Method == http.MethodPatch) && b.newRand().IntN(100) < 15
		if isHit {
			hits.Add(1)
		}
		return isHit
	}
	return row{
		name: name, spared: true, flows: true, told: true, hold: [2]time.Duration{5 * time.Second, time.Second},
		fault: lasting(func(ctx context.Context, b *testbed) error {
			return each(func(m *member) {
				m.network.OnRequest(func(request *http.Request) (*http.Response, error) {
					if behind != nil || !hit(b, request) {
						return nil, nil
					}
					return instead(b, request)
				})
				m.network.OnAnswer(func(request *http.Request, response *http.Response) (*http.Response, error) {
					if !hit(b, request) {
						return response, nil
					}
					rig.Drain(response)
					if behind != nil && behind(ctx, b) != nil {
						failures.Add(1)
					}
					return instead(b, request)
				})
			})(ctx, b)
		}, func(ctx context.Context, b *testbed) error {
			err := each(func(m *member) {
				m.network.OnRequest(nil)
				m.network.OnAnswer(nil)
			})(ctx, b)
			if n := failures.Load(); n > 0 {
				err = fmt.Errorf("what was to happen behind a commit has failed %d times", n)
			}
			return err
		}),
		proof: proof{"writes hit", func(*testbed) int64 { return hits.Load() }, 10},
	}
}

// putInPlaceOfTheLedger puts what is no ledger in place of it, or the one that there
// was at first.
func putInPlaceOfTheLedger(ctx context.Context, b *testbed) error {
	text := "not a ledger"
	if b.newRand().IntN(2) == 0 {
		b.mu.Lock()
		text = b.oldLedger
		b.mu.Unlock()
	}
	if text == "" {
		object, err := b.admin.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		text = object.Annotations["mapstore/commits"]
		b.mu.Lock()
		b.oldLedger = text
		b.mu.Unlock()
	}
	return b.outsider.Patch(ctx, fmt.Sprintf(`{"metadata":{"annotations":{"mapstore/commits":%q}}}`, text))
}
