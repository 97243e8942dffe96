package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// never lists the texts that no user gets to see.
var never = []string{
	"group: the caller is gone",          // to the committer only
	"remote: the request was withheld",   // likewise
	"the server is at revision %s again", // to the reflector, which then lists
	"watch: unexpected stack trace: ",    // of the runtime's own format
}

func TestTheTroubleshootingPageHasEveryTextAndNoOther(t *testing.T) {
	quoted := quotedTexts(t)
	texts, reasons, sentinels := messages(t)
	for _, text := range texts {
		if !slices.Contains(never, text) && !slices.ContainsFunc(quoted, func(q string) bool { return matches(q, text) }) {
			t.Errorf("the page does not have %q", text)
		}
	}
	for _, name := range sentinels {
		if !slices.Contains(quoted, name) {
			t.Errorf("the page does not have %s", name)
		}
	}
	for _, q := range quoted {
		if !slices.Contains(sentinels, q) && !slices.ContainsFunc(slices.Concat(texts, reasons), func(text string) bool { return matches(q, text) }) {
			t.Errorf("no code says %q", q)
		}
	}
	for _, text := range never {
		if !slices.Contains(texts, text) {
			t.Errorf("no code says %q any more", text)
		}
	}
	if len(texts) < 30 || len(sentinels) < 8 {
		t.Errorf("found only %d texts and %d sentinels in the code", len(texts), len(sentinels))
	}
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// quotedTexts returns the code in the first cells of the tables whose first column is
// called "text".
func quotedTexts(t *testing.T) []string {
	t.Helper()
	var quoted []string
	inTable := false
	for line := range strings.Lines(read(t, filepath.Join(root, "docs", "troubleshooting.md"))) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 3:
			inTable = false
		case strings.TrimSpace(cells[1]) == "text":
			inTable = true
		case inTable:
			for _, span := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
				quoted = append(quoted, span[1])
			}
		}
	}
	return quoted
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// matches reports whether a quotation is of the text, which may be a format. What
// varies is an ellipsis in the quotation; errors in the chain are left out of it.
func matches(quotation, text string) bool {
	return plain(strings.ReplaceAll(quotation, "…", "%v")) == plain(text)
}

func plain(format string) string {
	return strings.Trim(verb.ReplaceAllString(strings.TrimPrefix(format, "mapstore: "), "…"), "…:() ")
}

// messages returns the texts that a store puts into errors, log lines and panics, the
// reasons why values are rejected, of which the page need not have all, and the names
// of its sentinels.
func messages(t *testing.T) (texts, reasons, sentinels []string) {
	t.Helper()
	var paths []string
	for _, pkg := range []string{"watch", "mapstore", "typed", "internal/backup", "internal/cluster", "internal/group", "internal/ledger", "internal/remote", "internal/source"} {
		files, err := filepath.Glob(filepath.Join(root, "pkg", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, files...)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				if text, ok := message(node); ok && plain(text) != "" {
					texts = append(texts, text)
				}
				if name := function(node.Fun); name == "Reject" || name == "fmt.Sprintf" {
					reasons = append(reasons, literal(node.Args[0]))
				}
			case *ast.ValueSpec:
				if name := node.Names[0].Name; strings.HasPrefix(name, "Err") && !strings.Contains(path, "internal") {
					sentinels = append(sentinels, file.Name.Name+"."+name)
				}
			}
			return true
		})
	}
	return texts, reasons, sentinels
}

// message returns the text of a call that makes an error, logs or panics.
func message(call *ast.CallExpr) (string, bool) {
	argument := 0
	switch name := function(call.Fun); name {
	case "errors.New", "fmt.Errorf", "panic", "Logger.Info", "logger.Info", "apierrors.NewResourceExpired":
	case "Logger.Error", "logger.Error":
		argument = 1
	default:
		return "", false
	}
	text := literal(call.Args[argument])
	return text, text != ""
}

// literal returns the first string in an expression.
func literal(in ast.Expr) string {
	var text string
	ast.Inspect(in, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING && text == "" {
			text, _ = strconv.Unquote(literal.Value)
		}
		return true
	})
	return text
}

// function is the last two parts of what is called.
func function(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		switch x := expr.X.(type) {
		case *ast.Ident:
			return x.Name + "." + expr.Sel.Name
		case *ast.SelectorExpr:
			return x.Sel.Name + "." + expr.Sel.Name
		}
	}
	return ""
}
