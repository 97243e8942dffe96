package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answerRows are about answers that say nothing, or not what they seem to say,
// about what became of a write.
func answerRows() []row {
	errorsOf := []int{503, 429, 500}
	return []row{
		tampered("requests lost, 3 of 10", tamper{}).onlyLong(),
		tampered("answers lost after the commit, 3 of 10", tamper{landed: true}),
		overwritten("answers lost, and the ledger is garbage then", func(string) string { return "not a ledger" }),
		overwritten("answers lost, and the ledger is an old one then", func(old string) string { return old }),
		tampered("503, 429, 500 before the commit", tamper{statuses: errorsOf}).onlyLong(),
		tampered("503, 429, 500 before the commit, with Retry-After", tamper{statuses: errorsOf, retryAfter: true}).onlyLong(),
		tampered("503, 429, 500 after the commit", tamper{statuses: errorsOf, landed: true}),
		tampered("503, 429, 500 after the commit, with Retry-After", tamper{statuses: errorsOf, landed: true, retryAfter: true}),
	}
}

func tampered(name string, t tamper) row {
	t.share = 0.3
	return row{
		name: name, way: fronted, flows: true, told: true, hold: [2]time.Duration{5 * time.Second, 2 * time.Second},
		fault: func(_ context.Context, b *testbed) (func(context.Context) error, error) {
			return b.tamper(t), nil
		},
		proof: proof{"writes hit", ofAffected(func(m *member) int64 { return m.front.hits.Load() }), 10},
	}
}

// overwritten loses answers, too, and right behind each such commit somebody puts
// the same text in place of the ledger: what becomes of the one that there was at
// first. That takes the traces away, so outcomes may stay unknown.
func overwritten(name string, become func(old string) string) row {
	r := tampered(name, tamper{})
	r.told = false
	r.fault = func(ctx context.Context, b *testbed) (func(context.Context) error, error) {
		object, err := b.admin.CoreV1().ConfigMaps(b.namespace).Get(ctx, mapName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		put := patched(fmt.Sprintf(`{"metadata":{"annotations":{"mapstore/commits":%q}}}`, become(object.Annotations["mapstore/commits"])))
		var failures atomic.Int64
		lift := b.tamper(tamper{share: 0.3, landed: true, behind: func() {
			if put(ctx, b) != nil {
				failures.Add(1)
			}
		}})
		return func(ctx context.Context) error {
			err := lift(ctx)
			if n := failures.Load(); n > 0 {
				err = fmt.Errorf("the ledger was left alone %d times", n)
			}
			return err
		}, nil
	}
	return r
}

// tamper has the affected stores' fronts tamper until the returned function is
// called.
func (b *testbed) tamper(t tamper) (lift func(context.Context) error) {
	set := func(t tamper) {
		for _, m := range b.affected() {
			m.front.setTamper(t)
		}
	}
	set(t)
	return func(context.Context) error {
		set(tamper{})
		return nil
	}
}
