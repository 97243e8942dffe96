package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What make test can see at once: a refactoring has disarmed a mutant.
func TestEveryMutantApplies(t *testing.T) {
	for _, m := range mutants {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.breaks, err)
		}
		if wanted := m.caughtBy.top(); !bytes.Contains(testsIn(t, wanted.dir), []byte("\nfunc "+wanted.name+"(")) {
			t.Errorf("%s: there is no test %s", m.breaks, m.caughtBy)
		}
	}
}

// testsIn returns the source of all tests in the folders.
func testsIn(t *testing.T, dirs ...string) (sources []byte) {
	t.Helper()
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(root(), dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, source...)
		}
	}
	return sources
}

// The page that says how each promise is tested must not promise tests that are
// gone.
func TestTheReliabilityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root(), "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := testsIn(t, "pkg/watch", "pkg/internal/backup", "pkg/internal/group", "pkg/internal/ledger", "pkg/internal/remote", "pkg/mapstore", "hack/e2e")
	names := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(page), -1)
	if len(names) < 20 {
		t.Errorf("the page names only %d tests", len(names))
	}
	for _, name := range names {
		if !bytes.Contains(sources, []byte("\nfunc "+name+"(")) {
			t.Errorf("there is no %s", name)
		}
	}
}
