package mapstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A logLine is one that an operator may see.
type logLine struct{ level, message, keys string }

func literal(t *testing.T, expr ast.Expr) string {
	t.Helper()
	lit, ok := expr.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		t.Fatalf("a message or key of a log line is no literal: %T", expr)
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// loggedBy returns the line that a call writes, if it is one of a logger's. There
// are no types here: what counts is the method's name and that it has arguments,
// unlike an error's.
func loggedBy(t *testing.T, call *ast.CallExpr) (line logLine, ok bool) {
	t.Helper()
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return logLine{}, false
	}
	args := call.Args
	switch method.Sel.Name {
	case "Info":
		line.level = "info " + verbosity(method.X)
	case "Error":
		line.level, args = "error", args[1:]
	default:
		return logLine{}, false
	}
	line.message = literal(t, args[0])
	var keys []string
	for i := 1; i < len(args); i += 2 {
		keys = append(keys, literal(t, args[i]))
	}
	line.keys = strings.Join(keys, ", ")
	return line, true
}

// verbosity is what stands in logger.V(here).
func verbosity(logger ast.Expr) string {
	if v, ok := logger.(*ast.CallExpr); ok {
		if method, ok := v.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "V" {
			if level, ok := v.Args[0].(*ast.BasicLit); ok {
				return level.Value
			}
			return "of some level"
		}
	}
	return "0"
}

func TestEveryLogLineIsDocumentedAsItIs(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "../typed/*.go"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, matches...)
	}
	var written []logLine
	documented := "" // the comment of Options.Logger
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if line, ok := loggedBy(t, n); ok {
					written = append(written, line)
				}
			case *ast.Field:
				if name == "options.go" && len(n.Names) == 1 && n.Names[0].Name == "Logger" {
					documented = strings.Join(strings.Fields(n.Doc.Text()), " ")
				}
			}
			return true
		})
	}
	for _, line := range written {
		if want := strconv.Quote(line.message) + " (" + line.level + ")"; !strings.Contains(documented, want) {
			t.Errorf("Options.Logger does not say %s", want)
		}
	}

	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []logLine
	for _, row := range regexp.MustCompile(`(?m)^\| ((?:info|error)[^|]*) \| ([^|]+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$`).FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, logLine{row[1], row[2], row[3]})
	}
	for _, line := range written {
		if !slices.Contains(listed, line) {
			t.Errorf("docs/observability.md does not list %q", line)
		}
	}
	for _, line := range listed {
		if !slices.Contains(written, line) {
			t.Errorf("docs/observability.md lists %q, which nothing writes", line)
		}
	}
	if quoted := strings.Count(documented, `" (`); quoted != len(written) {
		t.Errorf("Options.Logger has %d lines, the code %d", quoted, len(written))
	}
}
