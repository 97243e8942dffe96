package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What make test can see at once: a refactoring has disarmed a mutant.
func TestEveryMutantApplies(t *testing.T) {
	for _, m := range mutants {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.breaks, err)
		}
		if !exists(t, m.noticedBy.top()) {
			t.Errorf("%s: there is no test %s", m.breaks, m.noticedBy)
		}
	}
}

func exists(t *testing.T, wanted test) bool {
	files, err := filepath.Glob(filepath.Join(root(), wanted.dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(source, []byte("\nfunc "+wanted.name+"(")) {
			return true
		}
	}
	return false
}
