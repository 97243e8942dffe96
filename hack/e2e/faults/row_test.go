package main

import (
	"context"
	"testing"
	"time"
)

func TestTooLittleLoadIsAFailure(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	idle, busy := &member{name: "idle"}, &member{name: "busy"}
	go func() {
		for range enough {
			busy.Count(nil)
		}
	}()
	if err := expectLoad(ctx, "at all", enough, []*member{busy}); err != nil {
		t.Error(err)
	}
	if err := expectLoad(ctx, "at all", enough, []*member{busy, idle}); err == nil {
		t.Error("no error, though a store has acknowledged nothing")
	}
}

func TestAFaultThatDoesNotHappenIsAFailure(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, n := range []int64{1, 2} {
		b := &testbed{result: &result{}}
		p := proof{"strikes", func(*testbed) int64 { return 10 + n }, 2}
		if err := p.await(ctx, b, 10); (err == nil) != (n == 2) {
			t.Errorf("%d strikes of 2: %v", n, err)
		}
	}
}

func TestRowsHaveNamesOfTheirOwnAndExpectSomething(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range matrix(false) {
		if seen[r.name] || r.name == "" {
			t.Errorf("a second row %q", r.name)
		}
		seen[r.name] = true
		if (r.fault == nil) == (r.special == nil) {
			t.Errorf("%s: want either a fault or something special", r.name)
		}
		if r.inside && r.fresh == 0 {
			t.Errorf("%s: no bound to freshness while the fault lasts", r.name)
		}
	}
}
