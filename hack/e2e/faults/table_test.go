package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheTableGoesBetweenTheMarkersAndNowhereElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	const before, after = "# Page\n\nBefore.\n\n" + beginMarker, endMarker + "\n\nAfter.\n"
	replaced := before + "\n| new |\n" + after
	for page, want := range map[string]string{ // empty: there is an error, and the page stays
		before + after:             replaced,
		before + "\nold\n" + after: replaced,
		replaced:                   replaced,
		"text":                     "",
		before:                     "",
		after:                      "",
		after + before:             "",
		before + after + before:    "",
		before + after + after:     "",
	} {
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		failed := replaceInFile(path, "| new |\n") != nil
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if failed != (want == "") || string(got) != cmp.Or(want, page) {
			t.Errorf("%q has become %q", page, got)
		}
	}
	if err := replaceInFile(filepath.Join(t.TempDir(), "none.md"), "new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a page that does not exist: %v", err)
	}
}

func TestTheTableSaysWhatCameOfEachRow(t *testing.T) {
	results := []result{
		{name: "a | b", acknowledged: 1, unknown: 2, failed: 3, versions: 6, noticed: 20 * time.Millisecond, fresh: 1234 * time.Millisecond},
		{name: "c", lost: 4, doubled: 5, err: errors.New("first\nsecond")},
	}
	table := tableOf(results)
	for _, want := range []string{
		`| a \| b | 1 | 2 | 3 | 0 | 0 | 20 ms | 1.2 s | 6 | ok |`,
		`| c | 0 | 0 | 0 | 4 | 5 | – | – | 0 | FAILED |`,
	} {
		if !strings.Contains(table, want+"\n") {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for _, line := range lines {
		if columns, want := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"), strings.Count(lines[0], "|"); columns != want {
			t.Errorf("%d bars instead of %d in %s", columns, want, line)
		}
	}
	if line := results[1].line(); !strings.Contains(line, "FAILED c") || !strings.Contains(line, "    second") {
		t.Errorf("the line is %q", line)
	}
}

func TestTheHeaderSaysHowToDoItAgain(t *testing.T) {
	got := header{settings{seed: 7, rounds: 3, short: true}, "killed|reset", "v1.2.3", "v4.5.6"}.String()
	for _, want := range []string{"v1.2.3", "v4.5.6", "ROUNDS=3", "SEED=7", "short form", "RUN='killed|reset'"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}
