package docs

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// parameters are variables that a block can use.
const parameters = `ctx context.Context, store *mapstore.Store, client kubernetes.Interface, config *rest.Config,
	mgr ctrl.Manager, namespace string, logger logr.Logger, mux *http.ServeMux, revision string, t *testing.T`

var block = regexp.MustCompile("(?ms)^( *)```go\n(.*?)^ *```")

func TestBlocksOfGoCompile(t *testing.T) {
	importer := newImporter(t)
	n := 0
	for path, text := range pages(t) {
		for _, match := range block.FindAllStringSubmatchIndex(text, -1) {
			n++
			line := 1 + strings.Count(text[:match[0]], "\n")
			if err := importer.check(text[match[4]:match[5]]); err != nil {
				t.Errorf("%s:%d: %v", path, line, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d blocks", n)
	}
	// One that does not compile is noticed.
	for _, code := range []string{
		`store.Fetch("key")`,
		`value := store.Get("key")`,
		`func f() int { return "" }`,
		`if store.Get("key") {`,
		"package main\n\nfunc main() { undefined() }",
	} {
		if importer.check(code) == nil {
			t.Errorf("no error for %s", code)
		}
	}
}

// An importer has what blocks can import.
type importer struct {
	header   string // of prelude.go: the package clause and the imports
	packages map[string]*types.Package
}

func newImporter(t *testing.T) importer {
	t.Helper()
	header := read(t, "prelude.go")
	file, err := parser.ParseFile(token.NewFileSet(), "", header, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	all, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	known := importer{header, map[string]*types.Package{}}
	for _, pkg := range all {
		for _, err := range pkg.Errors {
			t.Fatal(err)
		}
		known.packages[pkg.PkgPath] = pkg.Types
	}
	return known
}

// Import makes it a types.Importer.
func (known importer) Import(path string) (*types.Package, error) {
	if pkg, ok := known.packages[path]; ok {
		return pkg, nil
	}
	return nil, fmt.Errorf("no package %s: add it to prelude.go", path)
}

// check type-checks a file, declarations, or statements. What is merely unused is no
// error: a block is short for the sake of the reader, who knows what an ellipsis is.
func (known importer) check(code string) error {
	code = strings.ReplaceAll(code, "…", `panic("elided")`)
	candidates := []string{known.header + "func _(" + parameters + ") error { {\n" + code + "\n}; return nil }", known.header + code}
	if strings.Contains("\n"+code, "\npackage ") {
		candidates = []string{code}
	}
	var reasons []error
	for _, candidate := range candidates {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, "", candidate, parser.SkipObjectResolution)
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		return known.typeCheck(files, file)
	}
	return errors.Join(reasons...)
}

func (known importer) typeCheck(files *token.FileSet, file *ast.File) error {
	var problems []error
	config := types.Config{Importer: known, Error: func(err error) {
		if problem, ok := errors.AsType[types.Error](err); ok && !problem.Soft {
			problems = append(problems, errors.New(problem.Msg))
		}
	}}
	_, _ = config.Check("p", files, []*ast.File{file}, nil) // what it returns is among the problems
	return errors.Join(problems...)
}
