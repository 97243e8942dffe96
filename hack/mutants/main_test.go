package main

import (
	"bytes"
	"go/parser"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/tools/go/packages"
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
	for _, d := range delays {
		if _, err := (mutant{file: d.file, old: d.old}).overlay(t.TempDir()); err != nil {
			t.Errorf("%s late: %v", d.of, err)
		}
	}
}

// What does not compile fails no test, and is found only when the mutants are run.
func TestEveryMutantCompiles(t *testing.T) {
	sources := make(map[string]*packages.Package)
	for _, m := range mutants {
		dir := filepath.Dir(m.file)
		if sources[dir] == nil {
			sources[dir] = load(t, dir)
		}
		pkg := sources[dir]
		files := slices.Clone(pkg.Syntax)
		for i, file := range files {
			if path := pkg.Fset.Position(file.Pos()).Filename; path == filepath.Join(root(), m.file) {
				source, err := os.ReadFile(path)
				if err == nil {
					files[i], err = parser.ParseFile(pkg.Fset, path, strings.Replace(string(source), m.old, m.new, 1), 0)
				}
				if err != nil {
					t.Fatalf("%s: %v", m.breaks, err)
				}
			}
		}
		imports := importerFunc(func(path string) (*types.Package, error) {
			if imported := pkg.Imports[path]; imported != nil {
				return imported.Types, nil
			}
			return types.Unsafe, nil
		})
		if _, err := (&types.Config{Importer: imports}).Check(pkg.PkgPath, pkg.Fset, files, nil); err != nil {
			t.Errorf("%s: %v", m.breaks, err)
		}
	}
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// load returns the package in a folder, and the types of what it imports.
func load(t *testing.T, dir string) *packages.Package {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{
		Dir:  root(),
		Mode: packages.NeedName | packages.NeedSyntax | packages.NeedTypes | packages.NeedImports | packages.NeedTypesInfo,
	}, "./"+dir)
	if err != nil || len(loaded) != 1 || len(loaded[0].Errors) > 0 {
		t.Fatalf("%s: %v, %v", dir, err, loaded)
	}
	return loaded[0]
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
