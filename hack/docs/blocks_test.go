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

// An importer has what blocks can import: what prelude.go, which begins with header, does.
type importer struct {
	header   string
	packages map[string]*types.Package
}

func newImporter(t *testing.T) importer {
	t.Helper()
	all, err := packages.Load(&packages.Config{
		Mode:       packages.NeedName | packages.NeedTypes | packages.NeedImports,
		BuildFlags: []string{"-tags=blocks"},
	}, "file=prelude.go")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	known := importer{read(t, "prelude.go"), map[string]*types.Package{}}
	for path, pkg := range all[0].Imports {
		known.packages[path] = pkg.Types
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
	var problems []error
	config := types.Config{Importer: known, Error: func(err error) {
		if problem, ok := errors.AsType[types.Error](err); ok && !problem.Soft {
			problems = append(problems, errors.New(problem.Msg))
		}
	}}
	for _, candidate := range candidates {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, "", candidate, parser.SkipObjectResolution)
		if err == nil {
			problems = nil
			_, _ = config.Check("p", files, []*ast.File{file}, nil) // what it returns is among the problems
			break
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
