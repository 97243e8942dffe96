package mapstore

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	logCall  = regexp.MustCompile(`(?:\.V\((\d)\))?\.(?:(Info)\(|(Error)\([^(),"]+, )"([^"]+)"(.*)\)\n`)
	logKey   = regexp.MustCompile(`, "(\w+)", `)
	anyCall  = regexp.MustCompile(`\.(?:Info|Error)\([^)]`) // unlike an error's
	listItem = regexp.MustCompile(`(?m)^\| ((?:info|error)[^|]*) \| ([^|]+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$`)
)

// A logLine is one that an operator may see.
type logLine struct{ level, message, keys string }

func TestEveryLogLineIsDocumentedAsItIs(t *testing.T) {
	var written []logLine
	for _, folder := range []string{".", "../internal/source", "../typed"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			source := read(t, name)
			calls := logCall.FindAllStringSubmatch(source, -1)
			if all := len(anyCall.FindAllString(source, -1)); all != len(calls) {
				t.Errorf("%s: %d calls of a logger, of which %d are understood: with a text and keys that are literals", name, all, len(calls))
			}
			for _, call := range calls {
				line := logLine{level: "error", message: call[4]}
				if call[2] == "Info" {
					line.level = "info " + cmp.Or(call[1], "0")
				}
				var keys []string
				for _, key := range logKey.FindAllStringSubmatch(call[5], -1) {
					keys = append(keys, key[1])
				}
				line.keys = strings.Join(keys, ", ")
				written = append(written, line)
			}
		}
	}

	options := read(t, "options.go")
	for _, line := range written {
		if want := `//	"` + line.message + `" (` + line.level + `): `; !strings.Contains(options, want) {
			t.Errorf("Options.Logger does not say %s", want)
		}
	}
	if quoted := strings.Count(options, `//	"`); quoted != len(written) {
		t.Errorf("Options.Logger has %d lines, the code %d", quoted, len(written))
	}

	var listed []logLine
	for _, row := range listItem.FindAllStringSubmatch(read(t, "../../docs/observability.md"), -1) {
		listed = append(listed, logLine{row[1], row[2], row[3]})
	}
	for _, line := range slices.Concat(written, listed) {
		if !slices.Contains(listed, line) {
			t.Errorf("docs/observability.md does not list %q", line)
		}
		if !slices.Contains(written, line) {
			t.Errorf("docs/observability.md lists %q, which nothing writes", line)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
