package main

import (
	"context"
	"time"
)

// answerRows are about answers that say nothing, or not what they seem to say,
// about what became of a write.
func answerRows() []row {
	errorsOf := []int{503, 429, 500}
	return []row{
		tampered("requests lost, 3 of 10", tamper{}).onlyLong(),
		tampered("answers lost after the commit, 3 of 10", tamper{landed: true}),
		tampered("503, 429, 500 before the commit", tamper{statuses: errorsOf}).onlyLong(),
		tampered("503, 429, 500 before the commit, with Retry-After", tamper{statuses: errorsOf, retryAfter: true}).onlyLong(),
		tampered("503, 429, 500 after the commit", tamper{statuses: errorsOf, landed: true}),
		tampered("503, 429, 500 after the commit, with Retry-After", tamper{statuses: errorsOf, landed: true, retryAfter: true}),
	}
}

func tampered(name string, t tamper) row {
	t.share = 0.3
	set := func(b *testbed, t tamper) {
		for _, m := range b.affected() {
			m.front.setTamper(t)
		}
	}
	return row{
		name: name, way: fronted, flows: true, told: true, hold: [2]time.Duration{5 * time.Second, 2 * time.Second},
		fault: func(_ context.Context, b *testbed) (func(context.Context) error, error) {
			set(b, t)
			return func(context.Context) error {
				set(b, tamper{})
				return nil
			}, nil
		},
		proof: proof{"writes hit", ofAffected(func(m *member) int64 { return m.front.hits.Load() }), 10},
	}
}
