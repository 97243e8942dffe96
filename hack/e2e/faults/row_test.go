package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTooLittleLoadIsAFailure(t *testing.T) {
	idle, busy := &member{name: "idle"}, &member{name: "busy"}
	counting, stop := context.WithCancel(t.Context())
	go func() {
		for counting.Err() == nil {
			busy.Count(nil)
			time.Sleep(time.Millisecond)
		}
	}()
	err := expectLoad(t.Context(), "at all", enough, []*member{busy})
	if stop(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
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

func TestTheTableGoesBetweenTheMarkersAndNowhereElse(t *testing.T) {
	const before, after = "Before.\n\n" + beginMarker, endMarker + "\n\nAfter.\n"
	for page, want := range map[string]string{ // empty: there is an error
		before + after:             before + "\n| new |\n" + after,
		before + "\nold\n" + after: before + "\n| new |\n" + after,
		"text":                     "",
		before:                     "",
		after + before:             "",
		before + after + before:    "",
		before + after + after:     "",
	} {
		if got, err := replaceBetween(page, "| new |\n"); got != want || (err != nil) != (want == "") {
			t.Errorf("%q has become %q, %v", page, got, err)
		}
	}
}

func TestRowsThatWereNotRunStayInTheTable(t *testing.T) {
	const page = "a\n" + beginMarker + "\nhow\n\n| Fault | n |\n|---|--:|\n| x y | 1 |\n| z | 2 |\n" + endMarker + "\nb\n"
	for how, want := range map[string]string{"how": strings.Replace(page, "| x y | 1 |", "| x y | 3 |", 1), "otherwise": page} {
		if got, err := replaceRows(page, how+"\n\n| Fault | n |\n|---|--:|\n| x y | 3 |\n"); got != want || err != nil {
			t.Errorf("the page has become %q, %v", got, err)
		}
	}
}

func TestTheTableSaysWhatCameOfEachRow(t *testing.T) {
	table := tableOf([]result{
		{name: "a | b", acknowledged: 1, unknown: 2, failed: 3, versions: 6, noticed: 20 * time.Millisecond, fresh: 1234 * time.Millisecond, gaps: gaps{time.Second, 0}},
		{name: "c", lost: 4, doubled: 5, err: errors.New("some")},
	})
	if gaps := gapsOf([]result{{name: "a"}, {name: "b", production: true, gaps: gaps{time.Second, 20 * time.Millisecond}}}); !strings.HasSuffix(gaps, "--:|\n| b | 1.0 s | 20 ms | – | – |\n") {
		t.Errorf("the table of gaps is\n%s", gaps)
	}
	for _, want := range []string{
		`| a \| b | 1 | 2 | 3 | 0 | 0 | 20 ms | 1.2 s | 1.0 s | – | 6 | ok |`,
		`| c | 0 | 0 | 0 | 4 | 5 | – | – | – | – | 0 | FAILED |`,
	} {
		if !strings.Contains(table, want+"\n") {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}
